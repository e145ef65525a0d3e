// The command oci-chart writes a packaged chart as an OCI image layout with the artifact that `helm push` makes.
//
// Helm pushes it to a registry in this process. The same package with the same modification time gives the same bytes.
//
// Usage: oci-chart HELM CHART.tgz LAYOUT
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "oci-chart: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 3 {
		return errors.New("arguments missing: HELM CHART.tgz LAYOUT")
	}
	helm, chart, folder := arguments[0], arguments[1], arguments[2]
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	push := exec.Command(helm, "push", chart, "oci://"+host, "--plain-http")
	push.Env = append(os.Environ(), "TZ=UTC") // Helm writes the time of the package in the local time zone
	if output, err := push.CombinedOutput(); err != nil {
		return fmt.Errorf("helm push failed: %w: %s", err, output)
	}
	repository, err := pushedReference(host)
	if err != nil {
		return err
	}
	image, err := remote.Image(repository)
	if err != nil {
		return err
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	tag := map[string]string{"org.opencontainers.image.ref.name": repository.Identifier()}
	if err := path.AppendImage(image, layout.WithAnnotations(tag)); err != nil {
		return err
	}
	fmt.Println(digest)
	return nil
}

// pushedReference returns the only tag of a registry.
func pushedReference(host string) (name.Reference, error) {
	server, err := name.NewRegistry(host)
	if err != nil {
		return nil, err
	}
	repositories, err := remote.Catalog(context.Background(), server)
	if err != nil {
		return nil, err
	}
	if len(repositories) != 1 {
		return nil, fmt.Errorf("the registry has %d repositories instead of one", len(repositories))
	}
	tags, err := remote.List(server.Repo(repositories[0]))
	if err != nil {
		return nil, err
	}
	if len(tags) != 1 {
		return nil, fmt.Errorf("the chart has %d tags instead of one", len(tags))
	}
	return server.Repo(repositories[0]).Tag(tags[0]), nil
}
