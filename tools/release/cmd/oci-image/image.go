package main

import (
	"io"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// plainImage is an image whose entry in an index has no artifact type, as those of other tools have none.
type plainImage struct{ v1.Image }

// ArtifactType implements an interface of go-containerregistry.
func (plainImage) ArtifactType() (string, error) { return "", nil }

// builder builds images with one layer.
type builder struct {
	config  v1.Config
	created time.Time
	level   int // of gzip
}

// buildIndex returns the index of the images for these platforms ([OS/ARCH=]ROOT).
func (b builder) buildIndex(platforms []string) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, pair := range platforms {
		name, root, found := strings.Cut(pair, "=")
		if !found {
			name, root = "linux/"+runtime.GOARCH, pair
		}
		platform, err := v1.ParsePlatform(name)
		if err != nil {
			return nil, err
		}
		image, err := b.buildImage(root, *platform)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: plainImage{image}, Descriptor: v1.Descriptor{Platform: platform}})
	}
	return index, nil
}

func (b builder) buildImage(root string, platform v1.Platform) (v1.Image, error) {
	opener := func() (io.ReadCloser, error) {
		reader, writer := io.Pipe()
		go func() { writer.CloseWithError(writeLayer(writer, root, b.created)) }()
		return reader, nil
	}
	layer, err := tarball.LayerFromOpener(
		opener, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(b.level), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.ConfigFile(base, &v1.ConfigFile{
		OS:           platform.OS,
		Architecture: platform.Architecture,
		Variant:      platform.Variant,
		Created:      v1.Time{Time: b.created},
		Config:       b.config,
		RootFS:       v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: b.created}, CreatedBy: "COPY --from=root /image/ /"},
	})
}
