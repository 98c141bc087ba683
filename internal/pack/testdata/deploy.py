"""Deploys a plain template to moto, a stand-in for AWS that runs in this process,
and prints what came of it: roles, functions' variables and mappings.

usage: deploy.py TEMPLATE ZIP STACK [PARAMETER=VALUE...]
"""

import ast
import json
import os
import re
import sys
import warnings

os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_DEFAULT_REGION="eu-west-1")
warnings.simplefilter("ignore")

import boto3
from moto import mock_aws


def main(template, archive, stack, parameters):
    # moto knows no attributes of an API, which an output gives.
    with open(template, encoding="utf-8") as f:
        text = f.read().split("\nOutputs:")[0]
    key = re.search(r"CodeKey:(?:.|\n)*?Default: (\S+)", text).group(1)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.upload_file(archive, "code", key)
    boto3.client("events").create_event_bus(Name="partners")
    boto3.client("cloudformation").create_stack(
        StackName=stack, TemplateBody=text, Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in [("CodeBucket", "code")] + parameters])
    iam, functions = boto3.client("iam"), boto3.client("lambda")
    out = {"functions": {}, "mappings": [], "roles": {}}
    for f in functions.list_functions()["Functions"]:
        out["functions"][f["FunctionName"]] = f["Environment"]["Variables"]
    for m in functions.list_event_source_mappings()["EventSourceMappings"]:
        out["mappings"].append([m["EventSourceArn"], m["FunctionArn"].split(":")[6], m.get("ScalingConfig", {})])
    for r in iam.list_roles()["Roles"]:
        policies = iam.list_role_policies(RoleName=r["RoleName"])["PolicyNames"]
        attached = iam.list_attached_role_policies(RoleName=r["RoleName"])["AttachedPolicies"]
        name = r["RoleName"].rsplit("-", 1)[0]
        out["roles"][name] = [a["PolicyArn"] for a in attached]
        for p in policies:
            document = iam.get_role_policy(RoleName=r["RoleName"], PolicyName=p)["PolicyDocument"]
            if isinstance(document, str):
                document = ast.literal_eval(document)
            for s in document["Statement"]:
                out["roles"][name].append("%s on %s" % (" ".join(s["Action"]), s["Resource"]))
    out["mappings"].sort(key=lambda m: m[:2])
    # What moto makes up by chance.
    print(re.sub(r"(-photos-)[0-9a-f]{8}", r"\1UNIQUE", json.dumps(out, indent=1, sort_keys=True)))


with mock_aws():
    main(sys.argv[1], sys.argv[2], sys.argv[3], [tuple(p.split("=", 1)) for p in sys.argv[4:]])
