"""The sections of the page: data and a sentence each, no drawing."""
