package main

import (
	"bufio"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/package-url/packageurl-go"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
	"golang.org/x/mod/modfile"
)

// addRoot adds what is installed in the file system of an image.
func addRoot(bill *billOfMaterials, root string) error {
	statuses := filepath.Join(root, "var/lib/dpkg/status.d")
	entries, err := os.ReadDir(statuses) // sorted by name
	if err != nil {
		return err
	}
	distribution := readDistribution(root)
	for _, entry := range entries {
		if err := addDebianPackage(bill, filepath.Join(statuses, entry.Name()), distribution); err != nil {
			return err
		}
	}
	bridges := filepath.Join(root, "opt/bridge") + "/"
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasSuffix(path, ".dist-info/METADATA"):
			return addPythonDistribution(bill, path)
		case entry.Type().IsRegular() && strings.HasPrefix(path, bridges):
			return addProgram(bill, path)
		}
		return nil
	})
}

var versionID = regexp.MustCompile(`(?m)^VERSION_ID="?([0-9.]+)"?$`)

// readDistribution returns Debian's release, such as debian-13; empty if the image does not say it.
func readDistribution(root string) string {
	text, err := os.ReadFile(filepath.Join(root, "usr/lib/os-release"))
	if err != nil {
		return ""
	}
	if found := versionID.FindSubmatch(text); found != nil {
		return "debian-" + string(found[1])
	}
	return ""
}

func addDebianPackage(bill *billOfMaterials, path, distribution string) error {
	fields, err := readFields(path)
	if err != nil {
		return err
	}
	qualifiers := map[string]string{"arch": fields.Get("Architecture")}
	if distribution != "" {
		qualifiers["distro"] = distribution
	}
	name, version := fields.Get("Package"), fields.Get("Version")
	purl := packageurl.NewPackageURL("deb", "debian", name, version, packageurl.QualifiersFromMap(qualifiers), "")
	added := bill.addPackage(name, version, purl.ToString())
	added.PackageSupplier = &common.Supplier{SupplierType: "Organization", Supplier: "Debian"}
	if source := fields.Get("Source"); source != "" {
		added.PackageSourceInfo = "built from the Debian source package " + source
	}
	bill.relate(bill.artifact.PackageSPDXIdentifier, common.TypeRelationshipContains, added)
	return nil
}

func addPythonDistribution(bill *billOfMaterials, path string) error {
	fields, err := readFields(path)
	if err != nil {
		return err
	}
	added := addFromIndex(bill, fields.Get("Name"), fields.Get("Version"))
	if license := fields.Get("License-Expression"); license != "" {
		added.PackageLicenseDeclared = license
	}
	bill.relate(bill.artifact.PackageSPDXIdentifier, common.TypeRelationshipContains, added)
	return nil
}

var (
	separators = regexp.MustCompile(`[-_.]+`)
	pinned     = regexp.MustCompile(`(?m)^([A-Za-z0-9._-]+)==([^ ;\\]+)`)
)

func addFromIndex(bill *billOfMaterials, name, version string) *v2_3.Package {
	normalized := separators.ReplaceAllString(strings.ToLower(name), "-")
	return bill.addPackage(name, version, packageurl.NewPackageURL("pypi", "", normalized, version, nil, "").ToString())
}

// addLock adds the locked distributions that the artifact needs, but does not have.
func addLock(bill *billOfMaterials, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, found := range pinned.FindAllStringSubmatch(string(text), -1) {
		added := addFromIndex(bill, found[1], found[2])
		bill.relate(bill.artifact.PackageSPDXIdentifier, common.TypeRelationshipDependsOn, added)
	}
	return nil
}

// addProgram adds a Go program with the modules that its linker recorded in it.
func addProgram(bill *billOfMaterials, path string) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	checksum, err := hashFile(path)
	if err != nil {
		return err
	}
	platform := map[string]string{"os": settings["GOOS"], "arch": settings["GOARCH"]}
	program := addGo(bill, info.Main.Path, bill.subject.version, platform)
	program.PackageFileName = filepath.Base(path)
	program.PrimaryPackagePurpose = "APPLICATION"
	program.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: checksum}}
	program.PackageLicenseDeclared = "Apache-2.0"
	bill.relate(bill.artifact.PackageSPDXIdentifier, common.TypeRelationshipContains, program)
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		bill.relate(program.PackageSPDXIdentifier, common.TypeRelationshipDependsOn, addGo(bill, module.Path, module.Version, nil))
	}
	bill.relate(program.PackageSPDXIdentifier, common.TypeRelationshipDependsOn, addStandardLibrary(bill, info.GoVersion))
	return nil
}

// addModule adds a Go program with the modules that its go.mod requires.
func addModule(bill *billOfMaterials, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := modfile.ParseLax(path, text, nil)
	if err != nil {
		return err
	}
	if bill.subject.goVersion == "" {
		return errors.New("the flag -go is missing")
	}
	program := addGo(bill, file.Module.Mod.Path, bill.subject.version, map[string]string{"os": "wasip1", "arch": "wasm"})
	program.PackageLicenseDeclared = "Apache-2.0"
	bill.relate(bill.artifact.PackageSPDXIdentifier, common.TypeRelationshipContains, program)
	for _, required := range file.Require {
		added := addGo(bill, required.Mod.Path, required.Mod.Version, nil)
		bill.relate(program.PackageSPDXIdentifier, common.TypeRelationshipDependsOn, added)
	}
	bill.relate(program.PackageSPDXIdentifier, common.TypeRelationshipDependsOn, addStandardLibrary(bill, bill.subject.goVersion))
	return nil
}

func addGo(bill *billOfMaterials, module, version string, qualifiers map[string]string) *v2_3.Package {
	namespace, name := "", module
	if slash := strings.LastIndex(module, "/"); slash >= 0 {
		namespace, name = module[:slash], module[slash+1:]
	}
	purl := packageurl.NewPackageURL("golang", namespace, name, version, packageurl.QualifiersFromMap(qualifiers), "")
	return bill.addPackage(module, version, purl.ToString())
}

func addStandardLibrary(bill *billOfMaterials, release string) *v2_3.Package {
	added := addGo(bill, "stdlib", strings.TrimPrefix(release, "go"), nil)
	added.PackageLicenseDeclared = "BSD-3-Clause"
	return added
}

// readFields returns the fields at the begin of a file: of dpkg's status, or of a Python distribution's metadata.
func readFields(path string) (textproto.MIMEHeader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	fields, err := textproto.NewReader(bufio.NewReader(file)).ReadMIMEHeader()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return fields, err
}

func hashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
