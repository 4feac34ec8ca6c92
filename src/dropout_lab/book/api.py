"""The pages of the package's reference, made from the package: what is public, and the directive that shows it.

A floor of the package is a module or a package directly below ``dropout_lab``. What is public in it follows from the
code alone, so that a new public name is on its page without a line written for it. Sphinx's autodoc and autosummary
write the entries.
"""

from __future__ import annotations

import inspect
import pkgutil
import sys
from collections.abc import Iterator
from enum import EnumType
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.ext.autosummary import get_documenter
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

from dropout_lab.book import docstrings

PACKAGE = "dropout_lab"
#: The floors that a reader does not call: the Sphinx side, and the one that holds other libraries' private names.
INTERNAL = ("arguments", "book", "philox", "pinned", "streams", "wrapped")
#: Libraries whose names are plain text: their inventories of links lie on the network, and the build needs none.
FOREIGN = (
    "collections",
    "contextlib",
    "dataclasses",
    "enum",
    "fractions",
    "matplotlib",
    "numpy",
    "pathlib",
    "sympy",
    "torch",
    "types",
)
#: Types that come as text alone: what a named tuple holds, a union that nobody could read, one that holds itself.
_BARE = ("Tensor", "ArrayLike", "Json")

#: Types of this package that signatures name and that the reference leaves out: nobody but the package makes them.
_INNER = (
    r"dropout_lab\.symbolic\.(draws|values|compiler|calculus|arithmetic|lines|intervals|binding|equations)\..+",
    r"dropout_lab\.symbolic\.(attack\.Survivor|letters\.(Named|SlopeAt)|rules\.given\.Lemma)",
    r"dropout_lab\.symbolic\.(rules\.base\..+|printing\..+|report\..+)",
    r"dropout_lab\.claims\.derivations\.(Line|Slips|Swaps)",
)

#: The kinds of entry that go on with what belongs to them.
_WITH_MEMBERS = ("class", "exception")

#: The signature of a constructor that hands on whatever it is given.
_ANYTHING = "(*args: ~typing.Any, **kwargs: ~typing.Any)"

#: A constant with a longer value shows none: who reads about it looks for what it is.
_LONGEST_VALUE = 120
#: Under this name the environment keeps which sources a page of the reference was made from.
_SHOWN = "dropout_lab_reference"
_log = logging.getLogger(__name__)


def floors() -> list[str]:
    """The names of all floors that the reference shows, in alphabetical order.

    >>> [floor for floor in floors() if floor.startswith("n")]
    ['nn', 'noise']
    """
    found = (module.name for module in pkgutil.iter_modules(import_module(PACKAGE).__path__))
    return [name for name in found if not name.startswith("_") and name not in INTERNAL]


def modules(floor: str) -> list[str]:
    """The full names of the public modules of a floor, the floor itself first.

    Of a package that lists its names in ``__all__`` those modules are public that stand in the list. One without a list
    is a folder of modules, and each of them is public. A leading underscore makes a module private.

    >>> modules("ensemble")
    ['dropout_lab.ensemble']
    """
    return list(_modules(f"{PACKAGE}.{floor}"))


def names(module: str) -> list[str]:
    """What a module offers: the names in its ``__all__``, or else the functions and classes that it defines itself.

    Modules have pages of their own. A function or a class that comes from another public module is offered there.

    >>> names("dropout_lab.noise")[:2]
    ['Draws', 'Stream']
    """
    found = import_module(module)
    listed = getattr(found, "__all__", None)
    if listed is None:
        return [name for name, thing in vars(found).items() if not name.startswith("_") and _home(thing) == module]
    others = {other for floor in floors() for other in modules(floor)} - {module}
    things = {name: getattr(found, name) for name in listed}
    return [name for name, thing in things.items() if not inspect.ismodule(thing) and _home(thing) not in others]


class Reference(SphinxDirective):
    """``.. reference:: noise functional``: a section for each public module of the floors named.

    A section holds what the module says about itself, a table of its public names, and the full entry of each.
    """

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        unknown = set(self.arguments[0].split()) - set(floors())
        if unknown:
            raise self.error(
                f"no floor of the package is called {', '.join(sorted(unknown))}; {', '.join(floors())} are"
            )
        self.env.metadata[self.env.docname][_SHOWN] = {floor: _sources(floor) for floor in self.arguments[0].split()}
        return [self._section(module) for floor in self.arguments[0].split() for module in modules(floor)]

    def _section(self, module: str) -> nodes.section:
        short = module.removeprefix(f"{PACKAGE}.")
        title = nodes.title("", "", nodes.literal(short, short))
        section = nodes.section("", title, names=[nodes.fully_normalize_name(module)])
        self.state.document.note_implicit_target(section, section)
        self.set_source_info(section)
        self.state.nested_parse(StringList(list(self._lines(module)), source=module), self.content_offset, section)
        return section

    def _lines(self, module: str) -> Iterator[str]:
        yield from (f".. automodule:: {module}", "")
        offered = names(module)
        below = [
            other.removeprefix(f"{module}.")
            for other in modules(module.split(".")[1])
            if other.startswith(f"{module}.")
        ]
        if offered or below:
            yield from (".. autosummary::", "   :nosignatures:", "", *(f"   {name}" for name in (*offered, *below)), "")
        found = import_module(module)
        for name in offered:
            thing = getattr(found, name)
            kind = get_documenter(self.env.app, thing, found).objtype
            yield f".. auto{kind}:: {name}"
            if kind in _WITH_MEMBERS:
                yield from ("   :members:", *_inherited(thing))
            elif kind == "data" and len(repr(thing)) > _LONGEST_VALUE:
                yield "   :no-value:"
            yield ""


class Variants(SphinxDirective):
    """``.. variants::``: the table of the whole family, with links to the function and the modules of each member."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes("\n".join(self._lines()))

    def _lines(self) -> Iterator[str]:
        variants = import_module(f"{PACKAGE}.functional.variants")
        self.env.note_dependency(inspect.getfile(variants))
        yield from (".. list-table::", "   :header-rows: 1", "   :class: variants", "")
        yield from _row("Function", "Modules", "What shares a draw")
        for variant in variants.VARIANTS.values():
            layers = import_module(f"{PACKAGE}.nn")
            classes = (f":class:`~{_home(getattr(layers, name))}.{name}`" for name in variant.modules)
            function = f":func:`~{PACKAGE}.functional.{variant.name}`" if variant.is_function else "none"
            yield from _row(function, ", ".join(classes), variant.shares)


def setup(app: Sphinx) -> None:
    """Load autodoc and autosummary, and register the directive with the settings that its pages need."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.autosummary")
    docstrings.setup(app)
    app.add_directive("reference", Reference)
    app.add_directive("variants", Variants)
    app.connect("config-inited", _configure)
    app.connect("env-get-outdated", _outdated)
    app.connect("autodoc-process-docstring", _comment)
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-signature", _tidy)
    app.add_node(addnodes.desc_parameterlist, override=True, html=(_visit_parameters, _depart_parameters))


def _configure(app: Sphinx, config: Config) -> None:
    config.add_module_names = False
    config.autosummary_generate = False
    # What a method inherits is said where it was written; torch says it of every module's forward.
    config.autodoc_inherit_docstrings = False
    config.autodoc_member_order = "bysource"
    config.autodoc_preserve_defaults = True
    config.autodoc_type_aliases = {"ArrayLike": "ArrayLike"}
    config.autodoc_typehints_format = "short"
    config.python_use_unqualified_type_names = True
    # Counted with the full names of types, of which the page shows the last part.
    config.python_maximum_signature_line_length = 100
    # The tables list the names. In the contents every page of the book would carry them through its sidebar.
    config.toc_object_entries = False
    foreign = "|".join((rf"({'|'.join(FOREIGN)})\..+", *_BARE, *_INNER))
    config.nitpick_ignore_regex = [*config.nitpick_ignore_regex, ("py:.*", foreign)]


def _outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Have a page read again where a source came or went; autodoc itself knows those that were edited."""
    shown = {docname: data[_SHOWN] for docname, data in env.metadata.items() if _SHOWN in data}
    return [docname for docname, page in shown.items() if any(_sources(floor) != page[floor] for floor in page)]


def _comment(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Say of a constant what the comment ``#:`` above it says, wherever below the module it stands.

    Sphinx looks in the module alone, and without a comment there it shows how Python documents the constant's type.
    """
    if what != "data":
        return
    # A rule of derivation is an object made of a function, which says what the rule does.
    if said := inspect.getdoc(getattr(thing, "rewrite", None)):
        lines[:] = said.splitlines()
        return
    module, _, constant = name.rpartition(".")
    inside = sorted(other for other in sys.modules if f"{other}.".startswith(f"{module}."))
    for source in map(ModuleAnalyzer.for_module, inside):
        if found := source.find_attr_docs().get(("", constant)):
            lines[:] = found
            app.env.note_dependency(source.srcname)
            return
    lines.clear()
    _log.warning("%s needs a comment that begins with #: and says what it is", name)


def _skip(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out of a class what is said elsewhere, or says nothing.

    A function or a class from outside that the class only holds has an entry of its own, and what Python writes about
    a field of a named tuple is its number.
    """
    if what != "class":
        return None
    held = (inspect.isfunction(thing) or inspect.isclass(thing)) and "." not in thing.__qualname__
    return True if held or type(thing).__name__ == "_tuplegetter" else None


def _tidy(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, arguments: str | None, returned: str | None
) -> tuple[str | None, str | None] | None:
    """Leave out a signature that says nothing, and write an ellipsis for a default that is made anew each time.

    A class has the first where it takes over the constructor of another library, or that of enumerations or protocols,
    and the second if it is a dataclass.
    """
    if arguments == _ANYTHING or isinstance(thing, EnumType) or getattr(thing, "_is_protocol", False):
        return "", returned
    return (arguments.replace("<factory>", "..."), returned) if arguments else None


def _visit_parameters(translator: HTML5Translator, node: addnodes.desc_parameterlist) -> None:
    node["begins"] = len(translator.body)
    type(translator).visit_desc_parameterlist(translator, node)


def _depart_parameters(translator: HTML5Translator, node: addnodes.desc_parameterlist) -> None:
    type(translator).depart_desc_parameterlist(translator, node)
    # Sphinx makes a signature of several lines a list of definitions without terms, which no screen reader understands.
    written = "".join(translator.body[node["begins"] :])
    for tag, name in (("dl", "lines"), ("dd", "line")):
        written = written.replace(f"<{tag}>", f'<span class="sig-{name}">').replace(f"</{tag}>", "</span>")
    translator.body[node["begins"] :] = [written]


def _sources(floor: str) -> list[str]:
    """The files of a floor, without importing it."""
    package = Path(*import_module(PACKAGE).__path__)
    found = (*package.glob(f"{floor}.py"), *package.glob(f"{floor}/**/*.py"))
    return sorted(path.relative_to(package).as_posix() for path in found)


def _modules(name: str) -> Iterator[str]:
    found = import_module(name)
    yield name
    for module in pkgutil.iter_modules(getattr(found, "__path__", ())):
        # A function may have the name of the module that holds it.
        listed = not hasattr(found, "__all__") or module.name in found.__all__
        if listed and not module.name.startswith("_") and inspect.ismodule(getattr(found, module.name, found)):
            yield from _modules(f"{name}.{module.name}")


def _inherited(thing: type) -> Iterator[str]:
    """Have an entry show what a class takes over from a base class that is private to the package."""
    own = {base for base in thing.__mro__[1:] if base.__module__.startswith(f"{PACKAGE}.")}
    private = {base for base in own if not _is_public(base)}
    if private:
        others = (base.__name__ for base in thing.__mro__[1:] if base not in private)
        yield f"   :inherited-members: {', '.join(others)}"


@cache
def _is_public(base: type) -> bool:
    offering = (module for floor in floors() for module in modules(floor) if base.__name__ in names(module))
    return any(getattr(import_module(module), base.__name__) is base for module in offering)


def _row(*cells: str) -> Iterator[str]:
    for number, cell in enumerate(cells):
        yield f"     - {cell}" if number else f"   * - {cell}"


def _home(thing: Any) -> str:
    """The module that defines a function or a class; a constant knows none."""
    return thing.__module__ if inspect.isroutine(thing) or inspect.isclass(thing) else ""
