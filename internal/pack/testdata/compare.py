"""Expands a SAM template and compares it with the plain template of the same app.

usage: compare.py SAM PLAIN

Both are brought into one form first: names that only the transform gives are
taken out, and the API's routes are read from the OpenAPI body on the one side
and from resources on the other. Prints what differs and fails, or prints what
was compared.
"""

import json
import os
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")

from samtranslator.parser.parser import Parser
from samtranslator.translator.arn_generator import ArnGenerator
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

CREATED_BY = ("lambda:createdBy", "httpapi:createdBy")


def parameters(template):
    return {k: str(p.get("Default", "value")) for k, p in template.get("Parameters", {}).items()}


def read(path):
    with open(path, encoding="utf-8") as f:
        template = yaml_parse(f.read())
    # Numbers and tuples of the parser become those of JSON.
    return json.loads(json.dumps(template))


def expand(path):
    template = read(path)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # The transform takes no files: `aws cloudformation package` has put
            # them into a bucket by then.
            resource["Properties"]["CodeUri"] = "s3://bucket/code.zip"
    ArnGenerator.BOTO_SESSION_REGION_NAME = "eu-west-1"
    out = Translator({}, Parser()).translate(template, parameters(template))
    return json.loads(json.dumps(out))


def text(value):
    """A value with Fn::Sub and Fn::Join of references written in one way."""
    if isinstance(value, dict) and set(value) == {"Fn::Sub"} and isinstance(value["Fn::Sub"], list):
        pattern, variables = value["Fn::Sub"]
        for name, v in variables.items():
            v = text(v)
            if isinstance(v, dict) and set(v) == {"Ref"}:
                pattern = pattern.replace("${%s}" % name, "${%s}" % v["Ref"])
            elif isinstance(v, str):
                pattern = pattern.replace("${%s}" % name, v)
            else:
                return {"Fn::Sub": [pattern, {n: text(x) for n, x in variables.items()}]}
        return {"Fn::Sub": pattern}
    if isinstance(value, dict) and set(value) == {"Fn::GetAtt"} and isinstance(value["Fn::GetAtt"], str):
        return {"Fn::GetAtt": value["Fn::GetAtt"].split(".", 1)}
    if isinstance(value, dict):
        return {k: text(v) for k, v in value.items()}
    if isinstance(value, list):
        return [text(v) for v in value]
    return value


def tags(properties):
    found = properties.get("Tags")
    if isinstance(found, list):
        found = {t["Key"]: t["Value"] for t in found}
    if isinstance(found, dict):
        properties["Tags"] = {k: v for k, v in found.items() if k not in CREATED_BY}


def body_routes(api):
    """The routes of an OpenAPI body: method, path, function, payload format and timeout."""
    for path, methods in api["Properties"].pop("Body")["paths"].items():
        for method, operation in methods.items():
            way = operation["x-amazon-apigateway-integration"]
            method = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            uri = json.dumps(text(way["uri"]))
            function = uri.split("functions/${")[1].split(".Arn}")[0]
            yield method + " " + path, function, way["payloadFormatVersion"], way["timeoutInMillis"]


def resource_routes(resources):
    for route in [r for r in resources.values() if r["Type"] == "AWS::ApiGatewayV2::Route"]:
        p = route["Properties"]
        way = resources[p["Target"]["Fn::Sub"].split("${")[1][:-1]]["Properties"]
        assert way["IntegrationType"] == "AWS_PROXY" and way["ApiId"] == p["ApiId"], way
        yield p["RouteKey"], way["IntegrationUri"]["Fn::GetAtt"][0], way["PayloadFormatVersion"], way["TimeoutInMillis"]


def normal(template):
    resources = {k: text(r) for k, r in template["Resources"].items()}
    form = {"routes": sorted(resource_routes(resources)), "resources": [], "outputs": text(template.get("Outputs", {})),
            "conditions": text(template.get("Conditions", {})),
            "parameters": {k: p for k, p in template["Parameters"].items() if not k.startswith("Code")}}
    for name, r in resources.items():
        kind, properties = r["Type"], r.setdefault("Properties", {})
        tags(properties)
        if kind in ("AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Integration"):
            continue
        if kind == "AWS::ApiGatewayV2::Api":
            if "Body" in properties:
                form["routes"] = sorted(body_routes(r))
                # In the OpenAPI form name and tags are part of the body.
            for key in ("Name", "ProtocolType", "FailOnWarnings", "Tags"):
                properties.pop(key, None)
        if kind == "AWS::Lambda::Function":
            properties.pop("Code")
        # The transform gives these names of its own.
        if kind in ("AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping", "AWS::ApiGatewayV2::Stage"):
            name = ""
        form["resources"].append([kind, name, r])
    form["resources"] = sorted(json.dumps(r, sort_keys=True) for r in form["resources"])
    return form


def main():
    sam, plain = normal(expand(sys.argv[1])), normal(read(sys.argv[2]))
    different = False
    for part in sam:
        a, b = json.loads(json.dumps(sam[part])), json.loads(json.dumps(plain[part]))
        if a == b:
            continue
        different = True
        if isinstance(a, dict):
            a, b = [json.dumps(x, sort_keys=True) for x in a.items()], [json.dumps(x, sort_keys=True) for x in b.items()]
        for x in a:
            if x not in b:
                print(part, "only in SAM:  ", x)
        for x in b:
            if x not in a:
                print(part, "only in plain:", x)
    if different:
        sys.exit(1)
    print(len(sam["resources"]), "resources and", len(sam["routes"]), "routes are the same")


main()
