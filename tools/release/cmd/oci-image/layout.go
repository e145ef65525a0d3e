package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// writeDirectory replaces a directory by an OCI image layout with one index.
func writeDirectory(folder, name string, index v1.ImageIndex) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	return path.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          name,
		"org.opencontainers.image.ref.name": name[strings.LastIndex(name, ":")+1:],
	}))
}

// writeArchive writes the same layout to a file, in one step, so that a reader never finds a part of it.
func writeArchive(archive, name string, index v1.ImageIndex) error {
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(filepath.Dir(archive), "oci-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := writeDirectory(filepath.Join(folder, "layout"), name, index); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(folder, "image.tar"))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := writeLayer(file, filepath.Join(folder, "layout"), time.Unix(0, 0)); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), archive)
}
