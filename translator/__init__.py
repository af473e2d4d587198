"""
From texts to what each proxy is to do, and reports; pure.

In: texts by origin. Out: the IR of every proxy, Envoy's resources made from it, and a diagnostic
for every mistake. It opens no file and no socket, reads no clock and logs nothing; it may import
`xds.messages` and `xds.snapshot` in `emit` only, and never `penstock`.
"""
