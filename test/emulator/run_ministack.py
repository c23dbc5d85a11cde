"""Starts ministack with two of its faults corrected. Without the corrections no update of the app can be checked.

Usage: python run_ministack.py
The faults were found in ministack 1.5.33. AWS behaves as corrected: "Update behaviors of stack resources" in the user guide
of CloudFormation.
"""

from ministack.app import main
from ministack.services import cloudformation
from ministack.services.cloudformation import provisioners

_update_resource = provisioners._update_resource
_update_global_table = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::GlobalTable"]["update"]


def update_with_attributes(
    resource_type, physical_id, old_props, new_props, stack_name, logical_id=None, old_attrs=None
):
    """Keeps the attributes of an unchanged resource of a nested stack. The emulator drops them, so Fn::GetAtt fails."""
    if old_attrs is None:
        resources = cloudformation._stacks.get(stack_name, {}).get("_resources", {})
        old_attrs = resources.get(logical_id, {}).get("Attributes")
    return _update_resource(resource_type, physical_id, old_props, new_props, stack_name, logical_id, old_attrs)


def update_table_in_place(physical_id, old_props, new_props, stack_name):
    """Keeps the name of a table whose settings change. The emulator replaces the table by an empty one of another name."""
    return _update_global_table(physical_id, old_props, {**new_props, "TableName": physical_id}, stack_name)


provisioners._update_resource = update_with_attributes
provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::GlobalTable"]["update"] = update_table_in_place

if __name__ == "__main__":
    main()
