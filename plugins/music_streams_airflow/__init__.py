"""What music-streams adds to Airflow: a dashboard for its operators."""
