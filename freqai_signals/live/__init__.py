"""What a dry or live bot does beside predicting: watch, judge, record, alert."""
