"""Judges IAM policies with parliament and cloudsplaining, and prints one line for each finding.

Usage: python check_policies.py POLICIES
POLICIES is a JSON file with a list of {name, ofIdentity, document}. The exit code is 1 if there is a finding.
"""

import json
import sys

import parliament
from cloudsplaining.scan.policy_document import PolicyDocument

# Actions that cloudsplaining reports although nothing narrower exists.
# SageMaker pulls images with a token of the registry, for which AWS accepts no resource but *.
ACCEPTED = ["ecr:GetAuthorizationToken"]

CHECKS = {
    "privilege escalation": lambda policy: policy.allows_privilege_escalation,
    "credentials exposure": lambda policy: policy.credentials_exposure,
    "data exfiltration": lambda policy: policy.allows_data_exfiltration_actions,
    "permissions management": lambda policy: policy.permissions_management_without_constraints,
    "a wildcard for a service": lambda policy: policy.service_wildcard,
    "NotAction": lambda policy: policy.contains_statement_using_not_action,
    "writes without constraints": lambda policy: policy.write_actions_without_constraints,
}

with open(sys.argv[1], encoding="utf-8") as file:
    policies = json.load(file)

findings = 0
for policy in policies:
    if not policy["ofIdentity"]:
        continue
    for finding in parliament.analyze_policy_string(json.dumps(policy["document"])).findings:
        findings += 1
        print(f"{policy['name']}: parliament: {finding}")
    document = PolicyDocument(policy["document"])
    for name, check in CHECKS.items():
        if found := [item for item in check(document) if item not in ACCEPTED]:
            findings += 1
            print(f"{policy['name']}: cloudsplaining: {name}: {found}")

print(f"{sum(policy['ofIdentity'] for policy in policies)} policies of identities, {findings} findings")
sys.exit(1 if findings else 0)
