"""The directive ``rules``: a module of operations, each rule as it stands in the source.

``{rules} tinygrad_notes.ops.activation`` gives the module's text, then one section per `Function` in the
order of the file, with the helpers that its rules call, the figures of this build and the mistakes that the
checks catch. Nothing is copied by hand, so the page cannot disagree with the code.
"""

import importlib
import inspect

from docutils import nodes
from docutils.parsers.rst import Directive
from operation import caught, figures

from tinygrad_notes.autograd import Function
from tinygrad_notes.verify.source import source


class Rules(Directive):
    required_arguments = 1

    def run(self):
        module = importlib.import_module(self.arguments[0])
        self.state.document.settings.record_dependencies.add(module.__file__)
        found = [nodes.literal_block(text=inspect.cleandoc(module.__doc__), language="text")]
        operations = [
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, Function) and value.__module__ == module.__name__
        ]
        if not operations:
            raise self.error(f"{module.__name__} defines no Function")
        for operation in operations:
            key = f"{module.__name__}.{operation.__name__}"
            section = nodes.section(ids=[nodes.make_id(key)], names=[key])
            section += nodes.title(text=operation.__name__)
            section += nodes.literal_block(text=source(operation), language="python")
            section += [*figures(operation, "en"), *caught(operation, "en")]
            found.append(section)
        return found


def setup(app):
    app.add_directive("rules", Rules)
    return {"parallel_read_safe": True}
