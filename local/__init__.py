"""A local AWS for one SAM template: moto serves the APIs, real processes run the code.

`python -m local up` starts one server process and deploys the template to it through plain AWS API calls.
The server hosts

- moto's HTTP endpoint, mended in `moto_patches`;
- Lambda functions as processes of awslambdaric (`lambda_workers`, `lambda_service`);
- the pollers between queues and functions (`event_sources`) and the deliveries of EventBridge (`event_bus`);
- Glue job runs as processes (`glue_runs`, `spark`).

Nothing here knows what the template is about.
"""
