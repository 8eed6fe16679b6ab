# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that say which SuperNodes there are."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.fedops.flower.plugins.filter.instances import FilterModule

FILTERS = FilterModule().filters()
HOSTVARS = {
    "hospital": {},
    "box": {"supernode_instances": [{"name": "a"}, {"name": "b"}]},
    "other": {"supernode_instances": [{"name": "a"}]},
    "wrong": {"supernode_instances": [{"name": "a b"}], "supernode_port": 0},
}


def test_the_names_follow_the_hosts() -> None:
    assert FILTERS["supernode_names"](["hospital", "box"], HOSTVARS) == ["hospital", "a", "b"]


def test_problems_are_those_of_each_host_and_those_between_them() -> None:
    problems = FILTERS["supernode_problems"]
    assert problems(["hospital", "box"], HOSTVARS) == []
    assert len(problems(["box", "other"], HOSTVARS)) == 1
    assert len(problems(["wrong"], HOSTVARS)) == 2


def test_members_are_who_the_inventory_says() -> None:
    hostvars = {**HOSTVARS, "hospital": {"supernode_site": "Hospital A", "supernode_data_directory": "/srv/a"}}
    assert FILTERS["supernode_members"](["hospital", "box"], hostvars) == {
        "hospital": [{"name": "hospital", "site": "Hospital A", "host": "hospital"}],
        "box": [{"name": name, "site": name, "host": "box"} for name in "ab"],
    }
    data = FILTERS["supernode_data"](["hospital", "box"], hostvars)
    assert data == ["/srv/a", "/opt/flower/data/a", "/opt/flower/data/b"]
    assert FILTERS["supernode_data"](["hospital", "box"], hostvars, given_only=True) == ["/srv/a"]


def test_an_answer_is_worth_a_key_for_each_member() -> None:
    members = [{"name": "a", "site": "a", "host": "box"}]
    assert FILTERS["supernode_answer"]({"supernodes": []}, members) == {
        "supernodes": [],
        "problems": ["it gave no key for a"],
    }


def test_the_plan_is_that_of_one_host() -> None:
    plan = FILTERS["supernode_plan"]([{"name": "a"}], "box", home="/srv", port=1)
    assert [one["unit"] for one in plan["supernodes"]] == ["flower-supernode@a.service"]


def rendered(template: str, **hosts: dict) -> object:
    """What Ansible's own templating makes of it, with the variables of hosts as an inventory gives them."""
    return Templar(loader=DataLoader(), variables={"hostvars": trusted(hosts)}).template(trust_as_template(template))


def trusted(value: object) -> object:
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


def test_what_takes_variables_that_only_the_role_defines_is_left_to_the_role() -> None:
    instance = {"name": "a", "data_directory": "{{ role_only }}/a", "node_config": {"x": "{{ role_only }}", "y": 1}}
    box = {
        "supernode_instances": [instance],
        "supernode_port": "{{ role_only }}",
        "supernode_node_config": {"x": "{{ role_only }}"},
    }
    assert rendered("{{ ['box'] | fedops.flower.supernode_problems(hostvars) }}", box=box) == []
    assert rendered("{{ ['box'] | fedops.flower.supernode_names(hostvars) }}", box=box) == ["a"]
    instance["node_config"]["y"] = [1]
    assert len(rendered("{{ ['box'] | fedops.flower.supernode_problems(hostvars) }}", box=box)) == 1


def test_instances_that_are_not_defined_are_not_taken_for_none() -> None:
    with pytest.raises(AnsibleError, match="'nowhere' is undefined"):
        rendered(
            "{{ ['box'] | fedops.flower.supernode_names(hostvars) }}", box={"supernode_instances": "{{ nowhere }}"}
        )


def test_what_cannot_be_is_refused_in_words() -> None:
    with pytest.raises(AnsibleFilterError, match="must start with a letter"):
        FILTERS["supernode_names"](["wrong"], HOSTVARS)
    with pytest.raises(AnsibleFilterError, match="must be a list"):
        FILTERS["supernode_plan"]("a", "box")


def test_every_address_that_supernodes_use_is_told_once() -> None:
    hosts = {
        "a": {"supernode_superlink_address": "sl.example.org"},
        "b": {"supernode_superlink_address": "{{ '10.0.0.' ~ 7 }}"},
        "c": {"supernode_superlink_address": "{{ runtime_places.nowhere }}"},
        "d": {},
        "e": {"supernode_superlink_address": "https://sl:9092"},
    }
    told = rendered("{{ hostvars | list | fedops.flower.superlink_addresses(hostvars) }}", **hosts)
    assert told == ["10.0.0.7", "sl.example.org"]


@pytest.mark.parametrize("address", ["https://sl", "sl:9092", "[::1]", "a b", "süd", "-x", 5, "sl/x"])
def test_what_is_no_address_is_refused_by_the_variable(address) -> None:
    (problem,) = FILTERS["supernode_problems"](["a"], {"a": {"supernode_superlink_address": address}})
    assert problem.startswith("supernode_superlink_address of a is ")
    assert "must be a name or an address alone" in problem


@pytest.mark.parametrize("address", ["sl", "my_sl", "10.0.0.1", "2001:db8::1", "sl.example.org.", ""])
def test_names_and_addresses_are_taken(address) -> None:
    assert FILTERS["supernode_problems"](["a"], {"a": {"supernode_superlink_address": address}}) == []


def test_names_of_hosts_that_cannot_be_are_told_all_at_once() -> None:
    hosts = ["ward 1", "a/b", "-x", "it's", "x" * 254, "fine.example.org", "klinik-süd", "10.0.0.1"]
    problems = FILTERS["supernode_problems"](hosts, {host: {} for host in hosts})
    assert len(problems) == 5
    assert all("of the group supernodes cannot be called so" in problem for problem in problems)


def test_a_port_of_the_superlink_that_is_none_is_refused() -> None:
    (problem,) = FILTERS["supernode_problems"](["a"], {"a": {"supernode_superlink_port": "https"}})
    assert problem.startswith("supernode_superlink_port of a is 'https' but must be a port, 1 to 65535.")
