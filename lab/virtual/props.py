"""The system properties of a virtual phone, as getprop shows them."""

import re

from lab.definitions import PhoneEmulation, PhoneSpec

CODE_NAMES = {"Pixel 6": "oriole", "Pixel 6 Pro": "raven"}


def properties(spec: PhoneSpec, emulation: PhoneEmulation) -> dict[str, str]:
    """Properties by name."""
    model = re.sub(r"\s*\(virtual\)|^Google\s+", "", spec.model)
    device = CODE_NAMES.get(model, "generic")
    found = re.search(r"\d+", spec.os)
    release = found.group() if found else "16"
    build = "BP1A.250305.019"
    return {
        "gsm.operator.alpha": emulation.operator or "",
        "persist.sys.locale": emulation.locale,
        "ro.boot.qemu": "0",
        "ro.build.fingerprint": f"google/{device}/{device}:{release}/{build}/1:user/release-keys",
        "ro.build.id": build,
        "ro.build.tags": "release-keys",
        "ro.build.type": "user",
        "ro.build.version.release": release,
        "ro.build.version.sdk": str(emulation.sdk),
        "ro.debuggable": "0",
        "ro.product.brand": "google",
        "ro.product.cpu.abi": "arm64-v8a",
        "ro.product.cpu.abilist": "arm64-v8a,armeabi-v7a",
        "ro.product.device": device,
        "ro.product.manufacturer": "Google",
        "ro.product.model": model,
        "ro.product.name": device,
        "ro.serialno": spec.serial or f"VIRTUAL{spec.name.upper()}",
        "sys.boot_completed": "1",
        "sys.user.0.ce_available": "true",
    }
