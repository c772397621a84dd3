"""`music-streams down`: stop the local cloud."""

from local import control
from local.errors import LocalCloudError
from music_streams import display
from music_streams_cli import local_cloud, options, output
from music_streams_cli.registry import command


@command("down", "Stop the local cloud.", "music-streams down")
def down(quiet: options.Quiet = False) -> None:
    """Stop the local cloud, and check that none of its processes is left."""
    state = local_cloud.state()
    try:
        with state.exclusively():
            ended = control.stop(state)
    except LocalCloudError as error:
        raise local_cloud.as_command_error(error) from error
    if quiet:
        return
    text = f"stopped: {display.plural(ended, 'process').replace('processs', 'processes')} ended, none is left"
    output.show(output.stdout(), text if ended else f"no local cloud is running in {state.root}")
