# Functions of image/root and image/runtime: Debian's packages and the locked Python packages as a file system.
# Sourced with the working directory at the root of the checkout.
# shellcheck shell=bash
umask 022
export LC_ALL=C # the order of file names
export IMAGE_CACHE=${IMAGE_CACHE:-$PWD/.cache/image/files}
# Settings of the user have no effect on the image. Where packages come from is free, because their hashes are checked.
for name in ${!UV_@} ${!PYTHON@} ${!HATCH_@} TAR_OPTIONS; do
  case $name in UV_DEFAULT_INDEX | UV_HTTP_TIMEOUT | UV_NATIVE_TLS | UV_SYSTEM_CERTS) ;; *) unset "$name" ;; esac
done
PYTHON=python3.13
SITE=usr/lib/python3/dist-packages
export UV_CACHE_DIR=$IMAGE_CACHE/uv UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_NO_PROGRESS=1

fail() { echo "image/$(basename "$0"): $*" >&2; exit 1; }

for program in curl dpkg-deb python3; do
  command -v "$program" > /dev/null || fail "$program not found. Install it (Debian packages curl, dpkg and python3)."
done
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "python3 is older than 3.11. Put a newer one first in PATH."

# Prints the architecture of this machine as Debian names it.
machine_arch() {
  case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) fail "this machine is $(uname -m). Build the image on x86_64 or aarch64." ;;
  esac
}

# Prints the name of an architecture in the names of programs and wheels.
machine_name() {
  case $1 in
    amd64) echo x86_64 ;;
    arm64) echo aarch64 ;;
    *) fail "architecture $1 is not supported. Use amd64 or arm64." ;;
  esac
}

# Extracts what the interpreter needs of the packages of image/packages.lock.
extract_packages() { # FOLDER ARCH
  local folder=$1 debs deb name base
  debs=$(python3 image/fetch.py packages image "$2")
  mkdir -p "$folder"/{etc,usr/{lib,share},var/lib/dpkg/status.d}
  base=$(mktemp -d)
  while IFS= read -r deb; do
    name=$(dpkg-deb --field "$deb" Package)
    # Vulnerability scanners read status.d and os-release.
    dpkg-deb --field "$deb" > "$folder/var/lib/dpkg/status.d/$name"
    if [ "$name" = base-files ]; then # mostly empty folders and files for shells
      dpkg-deb --extract "$deb" "$base"
      cp -a "$base"/lib* "$folder/"
      cp -a "$base"/etc/{os-release,debian_version} "$folder/etc/"
      cp -a "$base/usr/lib/os-release" "$folder/usr/lib/"
      cp -a "$base"/usr/share/{common-licenses,doc} "$folder/usr/share/"
    else
      dpkg-deb --extract "$deb" "$folder"
    fi
  done <<< "$debs"
  rm -rf "$base"
  mkdir -p "$folder/etc/ssl/certs"
  cat "$folder"/usr/share/ca-certificates/mozilla/*.crt > "$folder/etc/ssl/certs/ca-certificates.crt"
  find "$folder/usr/share" -mindepth 1 -maxdepth 1 ! -name doc ! -name common-licenses -exec rm -rf {} +
  rm -rf "$folder"/usr/sbin \
    "$folder"/usr/lib/*/gconv "$folder"/usr/lib/$PYTHON/{_pyrepl,curses,ensurepip,idlelib,pydoc_data,sqlite3,test,tkinter,turtledemo,venv} \
    "$folder"/usr/lib/$PYTHON/lib-dynload/{_ctypes_test*,_test*,_xxtest*,xxlimited*,_sqlite3*,_curses*,readline*,_dbm*,_gdbm*,_tkinter*}
  # A link to /etc, which is this machine's while modules are compiled. It has no effect in an image.
  rm -rf "$folder/usr/lib/$PYTHON/sitecustomize.py" "$folder/etc/$PYTHON"
  # Of the documentation, the licenses are kept.
  find "$folder/usr/share/doc" -type f ! -name copyright -delete
  find "$folder/usr/share/doc" -xtype l -delete
  find "$folder/usr/share/doc" -type d -empty -delete
  find "$folder/usr/bin" ! -type d ! -name 'python3*' -delete
}

# Installs the locked packages of the service for an architecture.
install_python_packages() { # FOLDER ARCH
  local uv
  uv=$(python3 image/fetch.py uv)
  # The symbols of Debian 13's glibc are those of manylinux_2_40 and older. Wheels are not run, so any machine can install them.
  "$uv" pip install --quiet --python "$(command -v python3)" --target "$1/$SITE" --no-compile-bytecode --only-binary :all: \
    --python-platform "$(machine_name "$2")-manylinux_2_40" --python-version "${PYTHON#python}" \
    --require-hashes -r requirements/runtime.lock
  remove_records "$1/$SITE"
}

# Removes the scripts, which refer to the builder's Python, and the files of dist-info that describe the installation.
remove_records() { # FOLDER
  rm -rf "$1/bin" "$1/.lock"
  find "$1" -path '*.dist-info/*' \( -name RECORD -o -name REQUESTED -o -name INSTALLER -o -name direct_url.json \
    -o -name 'uv_*.json' \) -delete
}

# Runs the interpreter in a folder with its own loader and libraries, independently of this machine's.
run_python() { # FOLDER ARGUMENT...
  local folder=$1 libraries
  shift
  libraries=$(echo "$folder"/usr/lib/*-linux-gnu)
  env -i LC_ALL=C.UTF-8 PYTHONHASHSEED=0 "$libraries"/ld-linux-*.so.? --library-path "$libraries" "$folder/usr/bin/$PYTHON" -BsS "$@"
}
