"""A local AWS for one SAM template: moto serves the APIs, real processes run the code.

`python -m local up` starts one server process and deploys the template to it with AWS API calls. The server hosts

- moto's HTTP endpoint with the fixes in `moto_patches`;
- Lambda functions as processes of awslambdaric (`lambda_workers`, `lambda_service`);
- the pollers between queues and functions (`queue_pollers`) and the event bus of EventBridge (`event_bus`);
- Glue job runs as processes (`glue_runs`, `spark`).

The package depends on nothing in the template.
"""
