"""Published data sets by name."""

from neuro.data.events import EVENTS
from neuro.data.images import IMAGES
from neuro.data.series import SERIES
from neuro.data.sound import SOUND

PUBLISHED = IMAGES | SERIES | SOUND | EVENTS
