"""One day as one self-contained page.

data        what there is to tell, read from the metrics and the ledger
verdict     how the day is, in one sentence
charts      numbers as shapes
page        all of it as HTML, with the templates beside it
"""
