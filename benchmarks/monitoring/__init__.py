"""False alarms and detection times of the drift monitors and of the test of live quality."""
