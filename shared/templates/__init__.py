"""Chat templates: from messages to the text that a model was trained on."""

from shared.templates.control_texts import ControlTexts, apart
from shared.templates.fallback import FALLBACK_NAMES, choose_template
from shared.templates.rendering import render, template_format

__all__ = ["FALLBACK_NAMES", "ControlTexts", "apart", "choose_template", "render", "template_format"]
