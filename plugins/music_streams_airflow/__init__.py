"""The Airflow plug-in of music-streams: the dashboard, a timetable, sensors and triggers."""
