"""The credentials that lie on a controller: read there, used there, and told to nobody."""

import importlib
import os
import re
import shlex
from typing import Any, Dict, Iterable, List, Optional, Tuple

from stackdoctor.collect.agent.globs import found_by

LARGEST_RC = 1 << 16
_REFERENCE = re.compile(r"OS_[A-Z0-9_]{1,60}")


def credentials(files: Iterable[str]) -> Tuple[Optional[Dict[str, str]], str, str]:
    """The first file that has usable ones, as the variables OS_*, its path, and why there are none."""
    why = ""
    for pattern in files:
        for path in found_by(pattern):
            try:
                found = of_file(path)
            except (OSError, ValueError) as error:
                why = why or "%s: %s" % (path, getattr(error, "strerror", None) or type(error).__name__)
                continue
            lacking = lacks(found)
            if not lacking:
                return found, path, ""
            why = why or "%s: %s" % (path, lacking)
    return None, "", why


def of_file(path: str) -> Dict[str, str]:
    if not os.path.isfile(path):
        raise ValueError("not a file")
    with open(path, "rb") as file:
        text = file.read(LARGEST_RC).decode("utf-8", "replace")
    return of_clouds(text) if path.endswith((".yaml", ".yml")) else of_shell(text)


def of_shell(text: str) -> Dict[str, str]:
    """The assignments of OS_* in a shell's file; one whose value the shell would have to work out is left out."""
    found = {}  # type: Dict[str, str]
    for line in text.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        literal = "='" in line
        for word in words:
            name, equals, value = word.rstrip(";").partition("=")
            if not equals or not _REFERENCE.fullmatch(name):
                continue
            if re.search(r"[$`]", value) and not literal:
                found.pop(name, None)
            else:
                found[name] = value
    return found


def of_clouds(text: str) -> Dict[str, str]:
    """The only cloud of a clouds.yaml, or the administrator's; where the node has PyYAML, as services do."""
    try:
        yaml = importlib.import_module("yaml")
        clouds = yaml.safe_load(text)["clouds"]
        names = [n for n in clouds if len(clouds) == 1 or n in ("kolla-admin", "admin", "default", "overcloud")]
        return of_cloud(clouds[names[0]])
    except Exception:  # there is no PyYAML; and whatever a file of somebody else's holds, it holds no credentials then
        return {}


def of_cloud(cloud: Dict[str, Any]) -> Dict[str, str]:
    found = {"OS_" + key.upper(): str(value) for key, value in cloud.get("auth", {}).items()}
    for key, name in (
        ("region_name", "OS_REGION_NAME"),
        ("interface", "OS_INTERFACE"),
        ("cacert", "OS_CACERT"),
        ("auth_type", "OS_AUTH_TYPE"),
        ("cert", "OS_CERT"),
        ("key", "OS_KEY"),
    ):
        if cloud.get(key):
            found[name] = str(cloud[key])
    if cloud.get("verify") is False:
        found["OS_INSECURE"] = "true"
    return found


def lacks(found: Dict[str, str]) -> str:
    """What is missing for a token; empty where nothing is."""
    if not re.match(r"https?://", found.get("OS_AUTH_URL", "")):
        return "it has no OS_AUTH_URL"
    if found.get("OS_AUTH_TYPE", "password") == "v3applicationcredential":
        needed = ("OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_SECRET")
    elif found.get("OS_AUTH_TYPE", "password") in ("password", "v3password", "v2password"):
        needed = ("OS_USERNAME", "OS_PASSWORD")
    else:
        return "OS_AUTH_TYPE %s is not known here" % found["OS_AUTH_TYPE"][:40]
    absent = [name for name in needed if not found.get(name)]
    return "it has no %s" % absent[0] if absent else ""


def v3_body(found: Dict[str, str]) -> Dict[str, Any]:
    """What is sent to Keystone for a token, v3."""
    if found.get("OS_AUTH_TYPE") == "v3applicationcredential":
        own = {
            "id": found["OS_APPLICATION_CREDENTIAL_ID"],
            "secret": found["OS_APPLICATION_CREDENTIAL_SECRET"],
        }
        return {"auth": {"identity": {"methods": methods("application_credential"), "application_credential": own}}}
    user = {"name": found["OS_USERNAME"], "password": found["OS_PASSWORD"]}  # type: Dict[str, Any]
    user["domain"] = domain(found, "OS_USER_DOMAIN")
    auth = {"identity": {"methods": methods("password"), "password": {"user": user}}}  # type: Dict[str, Any]
    project = found.get("OS_PROJECT_NAME") or found.get("OS_TENANT_NAME")
    project_id = found.get("OS_PROJECT_ID") or found.get("OS_TENANT_ID")
    if project_id:
        auth["scope"] = {"project": {"id": project_id}}
    elif project:
        auth["scope"] = {"project": {"name": project, "domain": domain(found, "OS_PROJECT_DOMAIN")}}
    elif found.get("OS_SYSTEM_SCOPE"):
        auth["scope"] = {"system": {"all": True}}
    return {"auth": auth}


def methods(name: str) -> List[str]:
    return [name]


def domain(found: Dict[str, str], prefix: str) -> Dict[str, str]:
    if found.get(prefix + "_ID") or found.get("OS_DEFAULT_DOMAIN_ID"):
        return {"id": found.get(prefix + "_ID") or found["OS_DEFAULT_DOMAIN_ID"]}
    name = found.get(prefix + "_NAME") or found.get("OS_DEFAULT_DOMAIN")
    return {"name": name} if name else {"id": "default"}


def v2_body(found: Dict[str, str]) -> Dict[str, Any]:
    """What is sent to Keystone for a token, v2.0 (gone since Queens)."""
    own = {"username": found["OS_USERNAME"], "password": found["OS_PASSWORD"]}
    auth = {"passwordCredentials": own}  # type: Dict[str, Any]
    project = found.get("OS_TENANT_NAME") or found.get("OS_PROJECT_NAME")
    if project:
        auth["tenantName"] = project
    return {"auth": auth}


def v3_catalog(access: Dict[str, Any]) -> List[Any]:
    """The catalog of a v2.0 token as one of v3."""
    found = []  # type: List[Any]
    for entry in access.get("serviceCatalog", ()):
        endpoints = [
            {"interface": interface, "region": endpoint.get("region"), "url": endpoint[interface + "URL"]}
            for endpoint in entry.get("endpoints", ())
            for interface in ("public", "internal", "admin")
            if endpoint.get(interface + "URL")
        ]
        found.append({"type": entry.get("type"), "name": entry.get("name"), "endpoints": endpoints})
    return found
