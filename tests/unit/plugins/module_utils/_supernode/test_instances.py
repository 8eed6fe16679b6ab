# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which SuperNodes a host carries."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import show
from ansible_collections.fedops.flower.plugins.module_utils._supernode.instances import (
    InstancesError,
    SuperNodeHost,
    federation_problems,
)
from ansible_collections.fedops.flower.plugins.module_utils._supernode.place import Place
from ansible_collections.fedops.flower.plugins.module_utils._supernode.variables import DEFAULT_PORT
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[5]


def test_the_default_port_is_the_one_of_the_role() -> None:
    defaults = yaml.safe_load((ROOT / "roles" / "supernode" / "defaults" / "main.yml").read_text())
    assert defaults["supernode_port"] == DEFAULT_PORT


def test_a_host_without_instances_is_one_supernode_at_the_old_places() -> None:
    plan = SuperNodeHost(
        "hospital-a", [], port="9094", data_directory="/srv/images", node_config={"partition-id": 3}
    ).plan()
    hidden = plan["unit"].pop("hidden")
    assert {"/opt/flower/certificates", "/opt/flower/supernode.toml", "/opt/flower/supernodes"} <= set(hidden)
    assert not {"/opt/flower/bin", "/opt/flower/data", "/opt/flower/releases"} & set(hidden)
    assert plan == {
        "superlink": ":",
        "environment": {},
        "unit": {
            "site": "hospital-a",
            "port": "9094",
            "directives": {"Service": []},
            "apps_directives": {
                "Unit": [("RequiresMountsFor", "/srv/images")],
                "Service": [
                    ("User", "flower-app"),
                    ("InaccessiblePaths", "-/opt/flower/data"),
                    ("BindReadOnlyPaths", "-/srv/images"),
                ],
            },
            "supernode": "flower-supernode.service",
            "apps": "flower-clientapps.service",
            "left": 77,
            "key": "/opt/flower/certificates/supernode_key",
            "secret": "/opt/flower/certificates/supernode.secret",
            "config": "/opt/flower/supernode.toml",
            "state": "/var/lib/flower-supernode",
        },
        "supernodes": [
            {
                "name": "hospital-a",
                "instance": "",
                "site": "hospital-a",
                "data_directory": "/srv/images",
                "port": 9094,
                "unit": "flower-supernode.service",
                "apps_unit": "flower-clientapps.service",
            }
        ],
        "units": [
            {
                "instance": "",
                "name": "hospital-a",
                "leave_after": 0,
                "gpus": ["auto"],
                "config": '# Ansible managed\n"data-path" = "/srv/images"\n"partition-id" = 3\n"site" = "hospital-a"\n',
                "settings": "",
                "apps_settings": "",
                "data_directory": "/srv/images",
            }
        ],
    }


def test_instances_share_units_and_each_adds_its_own_directives() -> None:
    given_ = [{"name": "ward-a"}, {"name": "ward.b", "data_directory": "/home/b", "port": "9300"}]
    plan = SuperNodeHost("box", given_, home="/srv/100%/flower", port=9200).plan()
    del plan["unit"]["hidden"]
    assert plan["unit"] == {
        "site": "%i",
        "port": "${SUPERNODE_PORT}",
        "directives": {},
        "apps_directives": {},
        "supernode": "flower-supernode@%i.service",
        "apps": "flower-clientapps@%i.service",
        "left": 77,
        "key": "/srv/100%%/flower/certificates/supernodes/%i.key",
        "secret": "/srv/100%%/flower/certificates/supernodes/%i.secret",
        "config": "/srv/100%%/flower/supernodes/%i/supernode.toml",
        "state": "/var/lib/flower-supernode/%i",
    }
    assert [(one["unit"], one["port"], one["data_directory"]) for one in plan["supernodes"]] == [
        ("flower-supernode@ward-a.service", 9200, "/srv/100%/flower/data/ward-a"),
        ("flower-supernode@ward.b.service", 9300, "/home/b"),
    ]
    assert plan["units"][1]["settings"].splitlines() == [
        "# Ansible managed",
        "[Service]",
        'Environment="SUPERNODE_PORT=9300"',
    ]
    assert plan["units"][1]["apps_settings"].splitlines() == [
        "# Ansible managed",
        "[Unit]",
        "RequiresMountsFor=/home/b",
        "[Service]",
        f"User={Place('', 'ward.b').apps_user}",
        'Environment="SUPERNODE_PORT=9300"',
        "InaccessiblePaths=-/srv/100%%/flower/data",
        "ProtectHome=tmpfs",
        "BindReadOnlyPaths=-/home/b",
    ]


def directives(host: SuperNodeHost, name: str) -> list[str]:
    """What the ClientApps of an instance are shown of data, and what is hidden from them."""
    text = next(one["apps_settings"] for one in host.plan()["units"] if one["instance"] == name)
    return [line for line in text.splitlines() if re.match("(TemporaryFileSystem|InaccessiblePaths|Bind)", line)]


@pytest.mark.parametrize(
    ("places", "shown"),
    [
        (["", ""], ["TemporaryFileSystem=/opt/flower/data:ro", "BindReadOnlyPaths=-/opt/flower/data/a"]),
        (
            ["/srv/a", "/srv/b"],
            ["InaccessiblePaths=-/opt/flower/data", "InaccessiblePaths=-/srv/b", "BindReadOnlyPaths=-/srv/a"],
        ),
        (
            ["/srv/a", "/srv/a/b"],
            ["InaccessiblePaths=-/opt/flower/data", "InaccessiblePaths=-/srv/a/b", "BindReadOnlyPaths=-/srv/a"],
        ),
        (
            ["/srv/b/a", "/srv/b"],
            ["InaccessiblePaths=-/opt/flower/data", "TemporaryFileSystem=/srv/b:ro", "BindReadOnlyPaths=-/srv/b/a"],
        ),
        (["/srv/a", "/srv/a"], ["InaccessiblePaths=-/opt/flower/data", "BindReadOnlyPaths=-/srv/a"]),
    ],
)
def test_an_instance_sees_no_data_of_another(places: list[str], shown: list[str]) -> None:
    given_ = [{"name": name, "data_directory": place} for name, place in zip("ab", places, strict=True)]
    assert directives(SuperNodeHost("h", given_), "a") == shown


def test_each_instance_has_a_user_of_its_own_with_a_name_that_systemd_takes() -> None:
    users = [Place("", name).apps_user for name in ("", "a", "A", "a.b", "x" * 64)]
    assert len(set(users)) == len(users)
    assert all(re.fullmatch("[a-z][a-z0-9-]{0,30}", user) for user in users)


PATH_RULE = "must be an absolute path without blanks, quotes, '$', ':', '\\' and '..'. Correct it, or leave it out."


@pytest.mark.parametrize(
    ("directory", "rule"),
    [
        ("/srv/x\nExecStartPre=+/bin/sh", f"but {PATH_RULE}"),
        ("/my data", f"but {PATH_RULE}"),
        ("srv", f"but {PATH_RULE}"),
        (7, f"but {PATH_RULE}"),
        ("/", "but must not be a directory of the system. Put the data elsewhere."),
        ("/etc/", "but must not be a directory of the system. Put the data elsewhere."),
        ("/tmp/x", "but must not be a directory of the system. Put the data elsewhere."),
        (
            "/opt/flower/certificates",
            "but must not be Flower's own, but /opt/flower/data or below it."
            " Put the data there, or outside of the home.",
        ),
    ],
)
def test_data_lies_where_it_can(directory: object, rule: str) -> None:
    assert SuperNodeHost("h", data_directory=directory).problems == [
        f"supernode_data_directory of h is {show(directory)} {rule}"
    ]
    given_ = [{"name": "a", "data_directory": directory}]
    assert SuperNodeHost("h", given_).problems == [
        f"supernode_instances[0].data_directory of h is {show(directory)} {rule}"
    ]


@pytest.mark.parametrize("site", ["a\nExecStartPre=+/bin/sh", "\x1b[31m", "x" * 256, 7])
def test_a_site_is_a_line_of_text(site: object) -> None:
    rule = "must be text on one line, of 255 characters at most that can be printed. Correct it, or leave it out."
    assert SuperNodeHost("h", site=site).problems == [f"supernode_site of h is {show(site)} but {rule}"]


def test_an_instance_has_the_node_configuration_of_its_host_and_its_own_above_it() -> None:
    host = SuperNodeHost(
        "box",
        [{"name": "a"}, {"name": "b", "node_config": {"site": "bee", "scanner": None}}],
        data_directory="/srv",
        node_config={"scanner": "x", "Level": 1.5, "on": True},
    )
    assert [tomllib.loads(one.config) for one in host.supernodes] == [
        {"site": "a", "data-path": "/srv/a", "scanner": "x", "Level": 1.5, "on": True},
        {"site": "bee", "data-path": "/srv/b", "Level": 1.5, "on": True},
    ]


text = st.text(st.characters(exclude_categories=["Cs", "Cn"]))
values = st.one_of(text, st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False))


@given(st.dictionaries(text.filter(lambda key: key and key.isprintable()), values))
def test_what_is_given_is_what_an_app_reads(config: dict) -> None:
    readable = {key: value for key, value in config.items() if key not in ("site", "data-path")}
    supernode = SuperNodeHost("h", [], node_config=readable).supernodes[0]
    assert tomllib.loads(supernode.config) == {"site": "h", "data-path": "/opt/flower/data", **readable}


@pytest.mark.parametrize("unset", [None, "", []])
def test_what_an_empty_survey_answer_gives_is_one_supernode(unset: object) -> None:
    assert SuperNodeHost("h", unset).names == ["h"]


NAME_RULE = "must start with a letter or a digit and hold only those, '_', '.' and '-', 64 characters at most"


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"instances": "a"}, "supernode_instances of h is 'a' but must be a list. Give a list."),
        (
            {"instances": ["a"]},
            "supernode_instances[0] of h is 'a' but must be a mapping with a name. Write {name: …}.",
        ),
        ({"instances": [{}]}, f"supernode_instances[0].name of h is unset but {NAME_RULE}. Give it such a name."),
        (
            {"instances": [{"name": "../x"}]},
            f"supernode_instances[0].name of h is '../x' but {NAME_RULE}. Give it such a name.",
        ),
        ({"instances": [{"name": 7}]}, f"supernode_instances[0].name of h is 7 but {NAME_RULE}. Put it into quotes."),
        (
            {"instances": [{"name": "a", "prot": 1}]},
            "supernode_instances[0].prot of h is 1 and is not known."
            " Known are name, node_config, data_directory, port, leave_after_sessions, gpus.",
        ),
        (
            {"instances": [{"name": "a", "port": 0}]},
            "supernode_instances[0].port of h is 0 but must be a port, 1 to 65535. Give each SuperNode a free one.",
        ),
        (
            {"instances": [{"name": "a", "data_directory": "data"}]},
            "supernode_instances[0].data_directory of h is 'data' but must be an absolute path without blanks, quotes,"
            " '$', ':', '\\' and '..'. Correct it, or leave it out.",
        ),
        (
            {"instances": [{"name": "a", "node_config": {"k": {}}}]},
            "supernode_instances[0].node_config.k of h is {} but must be text, a number or a boolean."
            " Flower takes no other type.",
        ),
        (
            {"node_config": [1]},
            "supernode_node_config of h is [1] but must be a mapping of keys to values. Write {partition-id: 3}.",
        ),
        ({"port": "x"}, "supernode_port of h is 'x' but must be a port, 1 to 65535. Give each SuperNode a free one."),
        (
            {"instances": [{"name": "a"}, {"name": "a"}]},
            "supernode_instances of h has the name a 2 times. Give each its own.",
        ),
        (
            {"instances": [{"name": "a", "port": 9095}, {"name": "b"}]},
            "Port 9095 on h is that of a and b but must be that of one SuperNode."
            " Give them ports of their own in supernode_instances.",
        ),
        (
            {"instances": [{"name": "a"}, {"name": "b"}], "port": 65535},
            "port of b of h is 65536 but must be at most 65535. Lower supernode_port, or give the instance a port.",
        ),
    ],
)
def test_what_cannot_be_is_told_with_what_to_do(variables: dict, problem: str) -> None:
    host = SuperNodeHost("h", **variables)
    assert host.problems == [problem]
    with pytest.raises(InstancesError) as error:
        host.plan()
    assert str(error.value) == problem


def test_all_problems_of_all_hosts_are_told_at_once() -> None:
    hosts = [SuperNodeHost("a", [{"name": ""}, {"name": "x", "port": -1}]), SuperNodeHost("b", port=0)]
    assert len(federation_problems(hosts)) == 3


def test_a_name_belongs_to_one_supernode_of_the_federation() -> None:
    hosts = [
        SuperNodeHost("a"),
        SuperNodeHost("b", [{"name": "a"}, {"name": "x"}]),
        SuperNodeHost("c", [{"name": "x"}]),
    ]
    assert federation_problems(hosts) == [
        f"{name} is the name of a SuperNode on {places} but a name belongs to one SuperNode of the whole federation."
        " Rename one in supernode_instances."
        for name, places in (("a", "a and on b"), ("x", "b and on c"))
    ]
    assert federation_problems([SuperNodeHost("a"), SuperNodeHost("b", [{"name": "c"}])]) == []


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(
    st.lists(st.dictionaries(st.sampled_from(["name", "port", "node_config", "data_directory"]), json)) | json,
    json,
    json,
)
def test_anything_at_all_gives_supernodes_or_sentences(instances: object, port: object, config: object) -> None:
    host = SuperNodeHost("h", instances, port=port, node_config=config)
    problems = host.problems
    assert all(isinstance(problem, str) and problem.endswith((".", "…}.", "}.")) for problem in problems)
    if not problems:
        places = [Place(host.home, one.instance) for one in host.supernodes]
        assert len({place.key for place in places}) == len({place.config for place in places}) == len(places)


def test_a_bound_on_memory_is_told_before_a_host_is_touched() -> None:
    assert SuperNodeHost("h", memory_max="80%").problems == SuperNodeHost("h", memory_max="").problems == []
    (problem,) = SuperNodeHost("h", memory_max="lots").problems
    assert problem.startswith("supernode_memory_max is lots but must be a number of bytes, ")


def test_a_network_that_is_none_is_told_with_the_rest() -> None:
    assert SuperNodeHost("h", app_networks=["10.1.0.0/16"]).problems == []
    of_the_network, of_the_memory = SuperNodeHost("h", app_networks=["10.1.2.3/8"], memory_max="lots").problems
    assert of_the_network.startswith("supernode_app_networks has '10.1.2.3/8', which must be a network or an address, ")
    assert of_the_memory.startswith("supernode_memory_max is lots ")


@pytest.mark.parametrize(
    ("address", "said"),
    [("10.0.0.1", "10.0.0.1:9092"), ("fl.example", "fl.example:9092"), ("fd00::1", "[fd00::1]:9092")],
)
def test_the_superlink_is_said_as_flower_takes_it(address: str, said: str) -> None:
    assert SuperNodeHost("a", superlink_address=address, superlink_port=9092).plan()["superlink"] == said


def test_of_the_environment_a_supernode_gets_a_proxy_alone() -> None:
    given = {
        "HTTPS_PROXY": "p",
        "no_proxy": "n",
        "All_Proxy": "a",
        "MY_HTTP_PROXY": "m",
        "HTTP_PROXYS": "s",
        "FEDOPS": "f",
    }
    found = SuperNodeHost("a", environment=given).plan()["environment"]
    around = "n,127.0.0.1,localhost,::1"
    assert found == {"HTTPS_PROXY": "p", "no_proxy": around, "NO_PROXY": around, "All_Proxy": "a"}


def test_a_site_may_leave_after_a_number_of_trainings_and_an_instance_after_its_own() -> None:
    said = "SUPERNODE_LEAVE_AFTER_SESSIONS"
    plan = SuperNodeHost("h", leave_after="3").plan()
    assert plan["unit"]["directives"] == {"Service": [("Environment", f'"{said}=3"')]}
    given = [{"name": "a"}, {"name": "b", "leave_after_sessions": 1}, {"name": "c", "leave_after_sessions": ""}]
    plan = SuperNodeHost("h", given, leave_after=2).plan()
    assert [one["leave_after"] for one in plan["units"]] == [2, 1, 2]
    assert all(f'Environment="{said}={one["leave_after"]}"' in one["settings"] for one in plan["units"])
    assert said not in str(SuperNodeHost("h", leave_after="").plan())


@pytest.mark.parametrize("number", [0, -1, "many", 1.5, True, [3]])
def test_a_number_of_trainings_is_a_whole_one_from_1(number) -> None:
    rule = f"is {show(number)} but must be a whole number from 1. Leave it out for a site that takes part in every"
    assert SuperNodeHost("h", leave_after=number).problems == [f"supernode_leave_after_sessions of h {rule} training."]
    given = [{"name": "a", "leave_after_sessions": number}]
    assert SuperNodeHost("h", given).problems == [f"supernode_instances[0].leave_after_sessions of h {rule} training."]
