package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

const noAssertion = "NOASSERTION"

// subject is the artifact that a bill of materials describes.
type subject struct {
	name, version, purl, sha256, purpose, goVersion, repository string
}

// billOfMaterials collects packages and their relationships. The artifact is its first package.
type billOfMaterials struct {
	subject  subject
	document *v2_3.Document
	artifact *v2_3.Package
	known    map[string]*v2_3.Package // by package URL
	related  map[v2_3.Relationship]bool
}

func newBill(about subject, created time.Time) *billOfMaterials {
	bill := &billOfMaterials{
		subject: about,
		document: &v2_3.Document{
			SPDXVersion:       v2_3.Version,
			DataLicense:       v2_3.DataLicense,
			SPDXIdentifier:    "DOCUMENT",
			DocumentName:      about.name + " " + about.version,
			DocumentNamespace: fmt.Sprintf("%s/spdx/%s-%s-%s", about.repository, about.name, about.version, about.sha256),
			CreationInfo: &v2_3.CreationInfo{
				Created: created.Format(time.RFC3339),
				Creators: []common.Creator{
					{CreatorType: "Organization", Creator: "skywalking-provider"},
					{CreatorType: "Tool", Creator: "skywalking-provider-make-release-" + about.version},
				},
			},
		},
		known:   map[string]*v2_3.Package{},
		related: map[v2_3.Relationship]bool{},
	}
	bill.artifact = bill.addPackage(about.name, about.version, about.purl)
	bill.artifact.PrimaryPackagePurpose = about.purpose
	bill.artifact.PackageLicenseDeclared = "Apache-2.0"
	bill.artifact.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: about.sha256}}
	bill.relate("DOCUMENT", common.TypeRelationshipDescribe, bill.artifact)
	return bill
}

var unusual = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// addPackage returns the package with this package URL, which it adds if it is new.
func (b *billOfMaterials) addPackage(name, version, purl string) *v2_3.Package {
	if found, ok := b.known[purl]; ok {
		return found
	}
	id := common.ElementID(unusual.ReplaceAllString(strings.TrimPrefix(purl, "pkg:"), "-"))
	for slices.ContainsFunc(b.document.Packages, func(one *v2_3.Package) bool { return one.PackageSPDXIdentifier == id }) {
		id += "-" // the package URLs differ in a character that identifiers do not have
	}
	added := &v2_3.Package{
		PackageName:             name,
		PackageSPDXIdentifier:   id,
		PackageVersion:          version,
		PackageDownloadLocation: noAssertion,
		PackageLicenseConcluded: noAssertion,
		PackageLicenseDeclared:  noAssertion,
		PackageCopyrightText:    noAssertion,
		PackageExternalReferences: []*v2_3.PackageExternalReference{
			{Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: purl},
		},
	}
	b.known[purl] = added
	b.document.Packages = append(b.document.Packages, added)
	return added
}

// relate adds a relationship unless it is known.
func (b *billOfMaterials) relate(from common.ElementID, kind string, to *v2_3.Package) {
	relationship := v2_3.Relationship{
		RefA:         common.MakeDocElementID("", string(from)),
		RefB:         common.MakeDocElementID("", string(to.PackageSPDXIdentifier)),
		Relationship: kind,
	}
	if !b.related[relationship] {
		b.related[relationship] = true
		b.document.Relationships = append(b.document.Relationships, &relationship)
	}
}

// finish returns the document with the packages in the order of their identifiers, after the artifact.
func (b *billOfMaterials) finish() *v2_3.Document {
	slices.SortFunc(b.document.Packages[1:], func(one, other *v2_3.Package) int {
		return cmp.Compare(one.PackageSPDXIdentifier, other.PackageSPDXIdentifier)
	})
	slices.SortStableFunc(b.document.Relationships[1:], func(one, other *v2_3.Relationship) int {
		return cmp.Or(
			cmp.Compare(one.RefA.ElementRefID, other.RefA.ElementRefID), cmp.Compare(one.RefB.ElementRefID, other.RefB.ElementRefID))
	})
	return b.document
}
