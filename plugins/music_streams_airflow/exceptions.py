"""Airflow's exception for a task that must not be retried, from the module that has it in the installed version."""

try:
    from airflow.sdk.exceptions import AirflowFailException
except ImportError:  # Airflow 3.0, whose managed image lacks the compatibility package that has both
    from airflow.exceptions import AirflowFailException

__all__ = ["AirflowFailException"]
