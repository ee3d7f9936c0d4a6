# SPDX-License-Identifier: BSD-2-Clause
"""As much of the form of GitHub's and GitLab's files as those of this tree use, strict: what is not in it is taken
for a mistake. Files are read with every value as text (runner.load).
"""

import jsonschema

import runner

TEXT = {"type": "string", "minLength": 1}
BOOLEAN = {"enum": ["true", "false"]}
NAME = r"^[A-Za-z_][A-Za-z0-9_-]*$"


def mapping(members, required=()):
    return {"type": "object", "properties": members, "required": list(required), "additionalProperties": False}


def named(schema, **more):
    return {"type": "object", "patternProperties": {NAME: schema}, "additionalProperties": False, **more}


def list_of(schema):
    return {"type": "array", "items": schema, "minItems": 1}


def one_or_more(schema):
    return {"oneOf": [schema, list_of(schema)]}


VALUES = named({"type": "string"})
STEP = {"name": TEXT, "id": {"type": "string", "pattern": NAME}, "if": TEXT, "env": VALUES}
# owner/repository/folder@version; a folder of the workflow's own tree has no version.
USES = {"type": "string", "pattern": r"^([A-Za-z0-9_-]+/[A-Za-z0-9_./-]+@[A-Za-z0-9_./-]+|\./[A-Za-z0-9_./-]*)$"}
USES_STEP = mapping(STEP | {"uses": USES, "with": VALUES}, required=["uses"])
RUN_STEP = STEP | {"run": TEXT, "shell": {"enum": ["bash"]}, "working-directory": TEXT}

ACTION = mapping({
    "name": TEXT,
    "description": {"type": "string", "minLength": 1, "maxLength": 125},
    "author": TEXT,
    "branding": mapping({
        "icon": TEXT,
        "color": {"enum": "white black yellow blue green orange red purple gray-dark".split()},
    }, required=["icon", "color"]),
    "inputs": named(mapping({"description": TEXT, "default": {"type": "string"}, "required": BOOLEAN},
                            required=["description", "default"])),
    "outputs": named(mapping({"description": TEXT, "value": TEXT}, required=["description", "value"])),
    # In an action, unlike in a workflow, the shell has to be said.
    "runs": mapping({
        "using": {"const": "composite"},
        "steps": list_of({"oneOf": [mapping(RUN_STEP, required=["run", "shell"]), USES_STEP]}),
    }, required=["using", "steps"]),
}, required=["name", "description", "inputs", "outputs", "runs"])

EVENTS = {"enum": ["push", "pull_request"]}
FILTER = {"oneOf": [{"const": ""}, mapping({"branches": list_of(TEXT), "paths": list_of(TEXT)})]}
WORKFLOW = mapping({
    "name": TEXT,
    "on": {"oneOf": [EVENTS, list_of(EVENTS), mapping({"push": FILTER, "pull_request": FILTER})]},
    "permissions": named({"enum": ["read", "write", "none"]}),
    "env": VALUES,
    "jobs": named(mapping({
        "name": TEXT,
        "runs-on": one_or_more(TEXT),
        "container": TEXT,
        "needs": one_or_more(TEXT),
        "env": VALUES,
        "timeout-minutes": TEXT,
        "strategy": mapping({"fail-fast": BOOLEAN, "matrix": named(list_of(TEXT))}, required=["matrix"]),
        "steps": list_of({"oneOf": [mapping(RUN_STEP, required=["run"]), USES_STEP]}),
    }, required=["runs-on", "steps"]), minProperties=1),
}, required=["on", "jobs"])

GITLAB_JOB = mapping({
    "stage": TEXT,
    "image": TEXT,
    "tags": list_of(TEXT),
    "needs": list_of(TEXT),
    "variables": VALUES,
    "before_script": list_of(TEXT),
    "script": list_of(TEXT),
    "after_script": list_of(TEXT),
    "artifacts": mapping({
        "when": {"enum": ["on_success", "on_failure", "always"]},
        "paths": list_of(TEXT),
        "expire_in": TEXT,
    }, required=["paths"]),
}, required=["script"])
GITLAB = {"type": "object", "properties": {"stages": list_of(TEXT), "variables": VALUES},
          "additionalProperties": GITLAB_JOB, "minProperties": 1}

# Which contexts and functions an expression may name where.
STATUS = {"always()", "cancelled()", "failure()", "success()"}
DEFAULT_CONTEXTS = {"github", "strategy", "matrix", "job", "runner"}
STEP_CONTEXTS = DEFAULT_CONTEXTS | {"inputs", "steps", "env"}
WORKFLOW_CONTEXTS = DEFAULT_CONTEXTS | {"steps", "env", "needs", "secrets", "vars"}


def complaints(document, schema):
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        yield f"{error.json_path}: {error.message}"


def names_in(expression):
    """Names of an expression, those of functions with their brackets."""
    found = runner.tokens(expression)
    for index, (kind, text) in enumerate(found):
        if kind == "name":
            yield text + "()" if found[index + 1:index + 2] == [("(", "(")] else text


def expressions_in(text, bare=False):
    """The insides of ${{ }}; of a condition that has none, all of it."""
    return runner.EXPRESSION.findall(text) or ([text] if bare else [])


def wrong_names(text, allowed, bare=False):
    for expression in expressions_in(text, bare):
        for name in names_in(expression):
            if (name if name.endswith("()") else name.split(".")[0]) not in allowed:
                yield f"{name} is not known here: {text}"
    rest = runner.EXPRESSION.sub("", text)
    if "${{" in rest or "}}" in rest:
        yield f"an expression that does not end, or not begin: {text}"
