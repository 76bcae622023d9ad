# SPDX-License-Identifier: MIT
"""Where a C file can be mutated, and how.

clang's syntax tree says what is a statement, a condition, an operand, and where it lies; a small
tokeniser of the text says where a statement ends and finds operators. Only the bodies of functions
of the file itself count, and of those only what the compiler sees in the host's configuration.

The kinds:
  call      a statement that is a call is dropped
  assign    a statement that assigns is dropped
  swap      two adjacent statements change places
  guard     an `if` that only leaves (return, goto, break, continue) is dropped
  operand   one operand of && or || is dropped
  negate    a condition is turned round; == and != in other places too
  bound     < and <=, > and >= change places
  const     a number is one more
Lines of the log are left alone: no test is meant to read their words. So is the fiber's offer to give
others a turn, on which no result may depend.
"""
import hashlib
import json
import re
import subprocess
from pathlib import Path

KINDS = ("call", "assign", "swap", "guard", "operand", "negate", "bound", "const")
ALONE = re.compile(r"(log_(error|warn|info|debug|line)|fiber_yield_if_long)\b")
TEXT_MAX = 160  # longer texts are cut in the middle
TREE_S = 600    # clang's deadline, for a hang

TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*|/\*.*?\*/)"
    r"|(?P<directive>\#(?:\\\n|[^\n])*)"
    r"|(?P<text>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)"
    r"|(?P<sign><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)", re.S)
PAIRS = {"(": ")", "[": "]", "{": "}"}

# What clang writes around the declarations of a tree: it indents, and each member has its line.
FIRST, NEXT, LAST = b'\n  "inner": [\n    {\n', b"\n    },\n    {\n", b"\n    }\n  ]\n}"


class Tokens:
    """The tokens of a C text by their place."""

    def __init__(self, text):
        self.text = text
        self.list, self.at, self.directives = [], {}, []
        for match in TOKEN.finditer(text):
            if match.lastgroup == "directive":
                self.directives.append(match.start())
            elif match.lastgroup != "space":
                self.at[match.start()] = len(self.list)
                self.list.append((match.group(), match.start(), match.end()))

    def word(self, i):
        return self.list[i][0] if i < len(self.list) else ""

    def end(self, i):
        return self.list[i][2]

    def closing(self, i):
        """The index of the bracket that closes the one at i."""
        depth = 0
        for j in range(i, len(self.list)):
            if self.list[j][0] in PAIRS:
                depth += 1
            elif self.list[j][0] in PAIRS.values():
                depth -= 1
                if depth == 0:
                    return j
        raise ValueError("a bracket is not closed")

    def statement(self, i):
        """The index of the last token of the statement that begins at i."""
        word = self.word(i)
        if word == "{":
            return self.closing(i)
        if word in ("if", "for", "while", "switch"):
            last = self.statement(self.closing(i + 1) + 1)
            if word == "if" and self.word(last + 1) == "else":
                last = self.statement(last + 2)
            return last
        if word == "do":
            return self.closing(self.statement(i + 1) + 2) + 1
        while self.word(i) != ";":
            i = self.closing(i) + 1 if self.word(i) in PAIRS else i + 1
            if i >= len(self.list):
                raise ValueError("a statement does not end")
        return i


def flat(text):
    """A text on one line, of bounded length; two texts that differ still do."""
    text = re.sub(r"\s+", " ", text).strip()
    if len(text) > TEXT_MAX:
        digest = hashlib.sha256(text.encode("latin-1")).hexdigest()[:8]
        half = TEXT_MAX // 2 - 8
        text = f"{text[:half]} ~{digest}~ {text[-half:]}"
    return text.encode("latin-1").decode("utf-8", "replace")


class Site:
    """One mutant: the bytes start..end of the file become `text`. before and after are what a person
    reads and what the list of accepted survivors holds: whole lines, or the statement itself."""

    def __init__(self, path, function, kind, source, start, end, text):
        self.path, self.function, self.kind = path, function, kind
        self.start, self.end, self.text = start, end, text
        self.line = source.count("\n", 0, start) + 1
        first = source.rfind("\n", 0, start) + 1
        last = source.find("\n", end)
        last = len(source) if last < 0 else last
        self.before = flat(source[first:last])
        self.after = flat(source[first:start] + text + source[end:last])

    def key(self):
        return (self.path, self.function, self.kind, self.before, self.after)

    def rank(self, seed):
        """Orders mutants at random, so that a change elsewhere leaves a sample as it was."""
        return hashlib.sha256("\0".join((str(seed), *self.key())).encode()).hexdigest()

    def apply(self, source):
        """The mutated text. What follows keeps its line numbers, which failures carry."""
        lines = source.count("\n", self.start, self.end) - self.text.count("\n")
        return source[:self.start] + self.text + "\n" * lines + source[self.end:]


class Finder:
    def __init__(self, path, source):
        self.path, self.source = path, source
        self.tokens = Tokens(source)
        self.file = None  # clang names a file only where it changes
        self.function = None
        self.found = {}

    # --- places ----------------------------------------------------------------------------------

    def declarations(self, tree):
        """The declarations of the file itself. Those of its headers, a hundred times as many, are not
        worth reading: their location says what includes them."""
        begin, last = tree.index(FIRST) + len(FIRST), tree.rindex(LAST)
        while begin < last:
            end = tree.find(NEXT, begin, last)
            end = end if end >= 0 else last
            place = tree[begin:tree.index(b'"range": {', begin)].rsplit(b'"expansionLoc"', 1)[-1]
            if b'"includedFrom"' not in place:
                self.file = self.path  # unless clang names another
                node = json.loads(b"{" + tree[begin:end] + b"}")
                self.place_all(node)
                yield node
            begin = end + len(NEXT)

    def place_all(self, node):
        """Gives every location its file, in the order in which clang wrote them."""
        for key, value in node.items():
            if isinstance(value, dict):
                if key == "includedFrom":
                    continue
                if "offset" in value:
                    self.file = value.get("file", self.file)
                    value["in"] = self.file
                self.place_all(value)
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, dict):
                        self.place_all(item)

    def place(self, loc):
        """(offset, is a macro's) of a location in this file, or None."""
        if "expansionLoc" in loc:
            spelled = loc.get("spellingLoc", {})
            if loc["expansionLoc"].get("isMacroArgExpansion") and spelled.get("in") == self.path:
                loc = spelled
            else:
                loc = loc["expansionLoc"]
                return (loc["offset"], True) if loc.get("in") == self.path else None
        return (loc["offset"], False) if loc.get("in") == self.path else None

    def begin(self, node):
        """The index of the first token, or None."""
        place = self.place(node.get("range", {}).get("begin", {}))
        return self.tokens.at.get(place[0]) if place else None

    def span(self, node):
        """(first token, last token) of an expression, or None when a macro holds all of it."""
        begin = self.place(node.get("range", {}).get("begin", {}))
        end = self.place(node.get("range", {}).get("end", {}))
        if not begin or not end or (begin[1] and end[1] and begin[0] == end[0]):
            return None
        first, last = self.tokens.at.get(begin[0]), self.tokens.at.get(end[0])
        if first is None or last is None or last < first:
            return None
        if end[1] and self.tokens.word(last + 1) == "(":
            last = self.tokens.closing(last + 1)
        return first, last

    def operand(self, node):
        """The span of an operand, a macro's name and arguments included."""
        begin = self.place(node.get("range", {}).get("begin", {}))
        end = self.place(node.get("range", {}).get("end", {}))
        if begin and end and begin[1] and end[1] and begin[0] == end[0]:
            first = self.tokens.at.get(begin[0])
            if first is None:
                return None
            call = self.tokens.word(first + 1) == "("
            return first, self.tokens.closing(first + 1) if call else first
        return self.span(node)

    def between(self, first, last):
        return self.source[self.tokens.list[first][1]:self.tokens.end(last)]

    # --- mutants ---------------------------------------------------------------------------------

    def add(self, kind, first, last, text):
        """Tokens first..last become text."""
        start, end = self.tokens.list[first][1], self.tokens.end(last)
        if any(start < d < end for d in self.tokens.directives):
            return
        self.found.setdefault((start, end, text), Site(
            self.path, self.function, kind, self.source, start, end, text))

    def is_alone(self, first):
        return ALONE.match(self.tokens.word(first)) is not None

    def drop(self, node):
        first = self.begin(node)
        if first is None or self.is_alone(first):
            return
        inner, kind = node, None
        while inner["kind"] in ("ParenExpr", "CStyleCastExpr", "ImplicitCastExpr"):
            inner = inner["inner"][-1]
        if inner["kind"] == "CallExpr" or inner["kind"] == "StmtExpr":
            kind = "call"
        elif inner["kind"] == "CompoundAssignOperator" or \
                inner["kind"] == "BinaryOperator" and inner["opcode"] == "=" or \
                inner["kind"] == "UnaryOperator" and inner["opcode"] in ("++", "--"):
            kind = "assign"
        if kind:
            self.add(kind, first, self.tokens.statement(first), "{}")

    def movable(self, node):
        """(first, last) of a statement that may change places with its neighbour, or None."""
        stays = ("DeclStmt", "ReturnStmt", "GotoStmt", "BreakStmt", "ContinueStmt", "LabelStmt",
                 "CaseStmt", "DefaultStmt", "NullStmt", "GCCAsmStmt")
        first = self.begin(node)
        if node["kind"] in stays or first is None or self.is_alone(first):
            return None
        return first, self.tokens.statement(first)

    def swap(self, one, two):
        a, b = self.movable(one), self.movable(two)
        if not a or not b or b[0] != a[1] + 1 or self.between(*a) == self.between(*b):
            return
        gap = self.source[self.tokens.end(a[1]):self.tokens.list[b[0]][1]]
        self.add("swap", a[0], b[1], self.between(*b) + gap + self.between(*a))

    def leaves(self, node):
        """A branch that ends by leaving."""
        while node["kind"] == "CompoundStmt" and node.get("inner"):
            node = node["inner"][-1]
        return node["kind"] in ("ReturnStmt", "GotoStmt", "BreakStmt", "ContinueStmt")

    def condition(self, node):
        """The condition of if, while and do, by its parentheses."""
        first = self.begin(node)
        if first is None:
            return
        if node["kind"] == "DoStmt":
            first = self.tokens.statement(first + 1) + 1
        if self.tokens.word(first) in ("if", "while") and self.tokens.word(first + 1) == "(":
            last = self.tokens.closing(first + 1)
            inside = self.between(first + 2, last - 1)
            self.add("negate", first + 2, last - 1, f"!({inside})")

    def negate(self, node):
        if span := self.operand(node):
            self.add("negate", *span, f"!({self.between(*span)})")

    def binary(self, node, is_condition):
        opcode = node["opcode"]
        if opcode not in ("<", "<=", ">", ">=", "==", "!=", "&&", "||"):
            return
        left, right = self.operand(node["inner"][0]), self.operand(node["inner"][1])
        if not left or not right or left[1] >= right[0]:
            return
        at = left[1] + 1
        if self.tokens.word(at) != opcode or at + 1 != right[0]:
            return
        if opcode in ("&&", "||"):
            self.add("operand", left[0], right[1], self.between(*left))
            self.add("operand", left[0], right[1], self.between(*right))
        elif opcode in ("==", "!="):
            if not is_condition:
                self.add("negate", at, at, "!=" if opcode == "==" else "==")
        else:
            self.add("bound", at, at, opcode[0] if opcode[1:] else opcode + "=")

    def number(self, node):
        place = self.place(node["range"]["begin"])
        first = self.tokens.at.get(place[0]) if place and not place[1] else None
        if first is not None and self.tokens.word(first)[0].isdigit():
            self.add("const", first, first, f"({self.tokens.word(first)} + 1)")

    def walk(self, node, is_condition=False):
        kind = node["kind"]
        if kind == "StaticAssertDecl":
            return
        inner = [n for n in node.get("inner", []) if n.get("kind")]
        conditions = []
        if kind == "CompoundStmt":
            for statement in inner:
                self.drop(statement)
            for one, two in zip(inner, inner[1:]):
                self.swap(one, two)
        elif kind in ("CaseStmt", "DefaultStmt") and inner:
            self.drop(inner[-1])
        elif kind == "IfStmt" and len(inner) >= 2:
            conditions = inner[:1]
            self.condition(node)
            first = self.begin(node)
            if not node.get("hasElse") and self.leaves(inner[1]) and first is not None and \
                    self.tokens.word(first) == "if":
                self.add("guard", first, self.tokens.statement(first), "{}")
        elif kind in ("WhileStmt", "DoStmt") and inner:
            conditions = [inner[0] if kind == "WhileStmt" else inner[-1]]
            self.condition(node)
        elif kind == "ForStmt" and len(node["inner"]) == 5 and node["inner"][2].get("kind"):
            conditions = [node["inner"][2]]
            self.negate(conditions[0])
        elif kind == "ConditionalOperator":
            conditions = inner[:1]
            self.negate(inner[0])
        elif kind == "BinaryOperator":
            self.binary(node, is_condition)
        elif kind == "IntegerLiteral":
            self.number(node)
        elif kind == "InitListExpr":  # {0}, a table: data
            inner = [n for n in inner if n["kind"] not in ("IntegerLiteral", "ImplicitCastExpr")]
        elif kind == "CallExpr":
            first = self.begin(node)
            if first is not None and self.is_alone(first):
                return
        for child in inner:
            self.walk(child, is_condition=any(child is c for c in conditions))

    def find(self, tree):
        for node in self.declarations(tree):
            if node.get("kind") != "FunctionDecl" or not node.get("inner"):
                continue
            body = node["inner"][-1]
            if body.get("kind") == "CompoundStmt" and self.begin(body) is not None:
                self.function = node["name"]
                self.walk(body)
        return sorted(self.found.values(), key=lambda s: (s.start, s.end, s.text))


def run_clang(clang, args, path, top):
    done = subprocess.run([clang, *args, path], cwd=top, capture_output=True, check=False,
                          timeout=TREE_S)
    if done.returncode != 0:
        raise ValueError(f"clang cannot read {path}:\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def find(path, top, flags, clang="clang", cache=None):
    """The mutants of one C file, in the order of the text. path: from top, where clang runs with
    flags. cache: a folder for what was found before, since a tree with all its headers takes long to
    read. Raises ValueError when clang does not read the file."""
    source = (top / path).read_bytes()
    text, kept = source.decode("latin-1"), None
    if cache is not None:
        of = hashlib.sha256(run_clang(clang, [*flags, "-w", "-E"], path, top))
        for part in (Path(__file__).read_bytes(), source, path.encode()):
            of.update(hashlib.sha256(part).digest())
        kept = cache / of.hexdigest()
        if kept.exists():
            return [Site(path, function, kind, text, *place)
                    for function, kind, *place in json.loads(kept.read_text())]
    tree = run_clang(clang, [*flags, "-w", "-fsyntax-only", "-Xclang", "-ast-dump=json"], path, top)
    found = Finder(path, text).find(tree)
    if kept is not None:
        cache.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps([(s.function, s.kind, s.start, s.end, s.text) for s in found]))
    return found
