"""Where things stand in the page."""


def trial_anchor(trial: str) -> str:
    """The id of a trial's part of the page; a link to it opens it."""
    return f"trial-{trial}"
