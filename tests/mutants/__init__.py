"""Plausible errors, planted one at a time: would the tests notice?"""
