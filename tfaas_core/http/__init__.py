"""HTTP: the routes of a Host, served by Sanic. Nothing outside this package knows Sanic."""
