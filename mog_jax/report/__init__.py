"""Writes an HTML page of all fits, to sort, search and view.

=================  ===============================================================================
`page`             `write_report`: results -> one file, with the parts below and the fits as JSON
``page.html``      the elements of the page; ``page.css`` their looks, in light and dark
``program/``       what runs in the browser: ``data.js`` unpacks the fits, ``table.js`` lists them,
                   ``filters.js`` selects, ``drawing.js`` draws one, ``overview.js`` all,
                   ``exports.js`` saves, ``page.js`` links the parts
``vendor/``        d3, Observable Plot and Tabulator, with their licences
=================  ===============================================================================
"""

from mog_jax.report.page import write_report

__all__ = ["write_report"]
