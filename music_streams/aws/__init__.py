"""What the pipeline uses AWS through: clients, objects, settings, logs, metrics, alerts."""
