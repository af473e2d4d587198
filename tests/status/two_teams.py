"""A server with two teams behind one domain, and what users ask of it."""

from __future__ import annotations

import urllib.request

from click.testing import CliRunner
from support.files import save
from support.waiting import wait_until

from penstock.cli import program

APP = """\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    domains: ['*']
    routes:
      - matchers: [{prefix: /echo}]
        delegateAction: {ref: {name: routes, namespace: echo}}
      - matchers: [{prefix: /foxtrot}]
        delegateAction: {ref: {name: routes, namespace: foxtrot}}
"""
TABLE = """\
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {{name: routes, namespace: {team}}}
spec:
  routes:
    - matchers: [{{prefix: /{team}}}]
      directResponseAction: {{status: {status}, body: {team}}}
"""
SETTINGS = """\
apiVersion: gloo.solo.io/v1
kind: Settings
metadata: {name: default, namespace: gloo-system}
spec: {gloo: {invalidConfigPolicy: {POLICY: true}}}
"""
TYPO = TABLE.format(team="echo", status=200).replace("prefix", "prefx")
TIME = r"\d\d:\d\d:\d\dZ"


def wait_for(server, event, count=1):
    def found():
        events = server.events(event)
        return server.alive() and len(events) >= count and events

    return wait_until(found, f"{count} times {event}")


def edit(server, path, text):
    """Write a file, and wait until the server has dealt with it."""
    count = len(server.events("reload_finished"))
    save(path, text)
    wait_for(server, "reload_finished", count + 1)


def status(server, *options):
    address = f"127.0.0.1:{server.admin_port}"
    return CliRunner().invoke(program, ["status", "--server", address, *options])


def metrics(server):
    url = f"http://127.0.0.1:{server.admin_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return set(answer.read().decode().splitlines())


def routes_metric(outcome, number):
    return f'penstock_routes{{outcome="{outcome}",proxy="gateway-proxy"}} {number:.1f}'


def last(result):
    return result.output.splitlines()[-1]
