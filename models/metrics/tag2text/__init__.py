"""Tag2Text, which tells a picture in a sentence."""

from models.metrics.tag2text.beams import END, Caption, best_caption
from models.metrics.tag2text.network import TEXT_LENGTH, Tag2Text, TextDecoder, load_tag2text

__all__ = ["END", "TEXT_LENGTH", "Caption", "Tag2Text", "TextDecoder", "best_caption", "load_tag2text"]
