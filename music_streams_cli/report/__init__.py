"""The report of a day as one self-contained HTML page.

data        the content, read from the metrics and the ledger
verdict     the state of the day in one sentence
charts      the geometry of the charts
page        the HTML, from the templates in this folder
"""
