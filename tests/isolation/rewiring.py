"""
Other delegations than before: the edits on which it depends who delegates to whom.

Delegations come and go, by reference and by selector, also back to where they came from; tables
come, go, and change their labels and namespaces; virtual services go.
"""

from __future__ import annotations

import yaml
from hypothesis import strategies as st
from teams import dump, resource


def rewire(draw, files, team, configuration):
    """Change the delegations or tables of a team in one of its files."""
    readable = {}
    for origin, text in sorted(files.items()):
        try:
            documents = list(yaml.safe_load_all(text)) if b"&" not in text else []
        except (yaml.YAMLError, ValueError, RecursionError):
            continue
        if any(_routes(document) is not None for document in documents):
            readable[origin] = documents
    if not readable:
        return files
    origin = draw(st.sampled_from(sorted(readable)))
    documents = readable[origin]
    tables = [each for each in documents if _routes(each) is not None]
    document = draw(st.sampled_from(tables))
    change = draw(st.sampled_from([_delegate, _delegate, _redirect, _let_go, _move, _go, _come]))
    change(draw, documents, document, team, configuration)
    return files | {origin: dump(documents)}


def _routes(document):
    match document:
        case {"kind": "RouteTable", "metadata": dict(), "spec": {"routes": list(routes)}}:
            return routes
        case {
            "kind": "VirtualService",
            "metadata": dict(),
            "spec": {"virtualHost": {"routes": list(routes)}},
        }:
            return routes
    return None


def _delegate(draw, documents, document, team, configuration):
    prefix = draw(st.sampled_from(["/", f"/{team}", f"/{team}/nested"]))
    target = draw(_targets(team, configuration))
    routes = _routes(document)
    route = {"matchers": [{"prefix": prefix}], "delegateAction": target}
    routes.insert(draw(st.integers(0, len(routes))), route)


def _redirect(draw, documents, document, team, configuration):
    for route in _delegating(document):
        if draw(st.booleans()):
            route["delegateAction"] = draw(_targets(team, configuration))


def _let_go(draw, documents, document, team, configuration):
    if delegating := _delegating(document):
        _routes(document).remove(draw(st.sampled_from(delegating)))


def _move(draw, documents, document, team, configuration):
    """Give something other labels or another namespace."""
    if draw(st.booleans()):
        labels = [{}, {"public": "yes"}, {"nested": team}, {"public": "yes", "nested": team}]
        document["metadata"]["labels"] = draw(st.sampled_from(labels))
    else:
        document["metadata"]["namespace"] = draw(st.sampled_from(configuration.teams))


def _go(draw, documents, document, team, configuration):
    documents.remove(document)


def _come(draw, documents, document, team, configuration):
    name = draw(st.sampled_from(["nested0", "nested1", "more"]))
    routes = [
        {"matchers": [{"prefix": f"/{team}/nested"}], "directResponseAction": {"status": 200}}
    ]
    if draw(st.booleans()):
        routes.append({"delegateAction": draw(_targets(team, configuration))})
    labels = draw(st.sampled_from([{}, {"public": "yes"}, {"nested": team}]))
    documents.append(resource("RouteTable", team, name, {"routes": routes}, labels))


def _delegating(document):
    routes = _routes(document)
    return [route for route in routes if isinstance(route, dict) and "delegateAction" in route]


@st.composite
def _targets(draw, team, configuration):
    name = draw(st.sampled_from(["routes", "nested0", "nested1", "more"]))
    other = draw(st.sampled_from([team, *configuration.teams]))
    labels = draw(st.sampled_from([{"public": "yes"}, {"nested": other}]))
    (label, value), *_ = labels.items()
    operator = draw(st.sampled_from(["Equals", "NotEquals"]))
    condition = {"key": label, "operator": operator, "values": [value]}
    return draw(
        st.sampled_from(
            [
                {"ref": {"name": name, "namespace": other}},
                {"selector": {"labels": labels, "namespaces": ["*"]}},
                {"selector": {"labels": labels}},
                {"selector": {"expressions": [condition], "namespaces": [other]}},
            ]
        )
    )
