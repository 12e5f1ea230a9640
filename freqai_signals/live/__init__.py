"""What a dry or live bot does beside predicting: monitor, judge, record, alert."""
