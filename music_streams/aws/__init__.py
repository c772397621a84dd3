"""The pipeline's access to AWS: clients, objects, settings, logs, metrics, alerts."""
