"""What a phone's own records say of its calls: read before and after a trial, in one shell each, and compared.

A parser turns a dump's text into facts; a heading that is absent is "cannot be read", never "nothing happened".
"""
