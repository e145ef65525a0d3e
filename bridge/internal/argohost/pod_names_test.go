package argohost

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/hash"
	templateutil "github.com/argoproj/argo-rollouts/utils/template"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// podNamesFile has names of pods by Argo's and Kubernetes' rules. The tests of the service read it, too.
const podNamesFile = "pod_names.json"

// experimentRecipe is the selector of docs/block.md for the pods of one template of an Experiment. A test of the service
// compares it with the page.
const experimentRecipe = "{{ args.replicaset }}-[a-z0-9]{5}([.@].*)?"

// experimentRecipeArg is the value of its argument.
const experimentRecipeArg = "{{templates.%s.replicaset.name}}"

type rolloutNames struct {
	Rollout    string           `json:"rollout"`
	Versions   []versionNames   `json:"versions"`
	Experiment string           `json:"experiment"`
	Templates  []experimentPods `json:"templates"`
}

type versionNames struct {
	Hash string   `json:"hash"`
	Pods []string `json:"pods"`
}

type experimentPods struct {
	Name       string   `json:"name"`
	ReplicaSet string   `json:"replicaSet"`
	Hash       string   `json:"hash"`     // of templates.NAME.podTemplateHash, in the pods' labels
	Selector   string   `json:"selector"` // of the recipe
	Pods       []string `json:"pods"`
}

// TestPodNames compares the file with names that Argo's own functions build where Argo exports them.
func TestPodNames(t *testing.T) {
	var names []rolloutNames
	for _, rollout := range []string{
		"guestbook",
		"reviews-6c85f7bf4",
		"checkout.v2",
		"payments-gateway-reconciliation-worker-europe1",             // 46
		"payments-gateway-reconciliation-worker-eu-west1",            // 47
		"payments-gateway-reconciliation-worker-eu-west-1",           // 48
		"payments-gateway-reconciliation-worker-eu-west-1-blue",      // 53
		"payments-gateway-reconciliation-worker-eu-west-1-blue-team", // 58
	} {
		names = append(names, buildNames(t, rollout))
	}
	encoded, err := json.MarshalIndent(names, "", "  ")
	require.NoError(t, err)
	encoded = append(encoded, '\n')
	if os.Getenv("UPDATE_POD_NAMES") != "" {
		require.NoError(t, os.WriteFile(podNamesFile, encoded, 0o644))
	}
	committed, err := os.ReadFile(podNamesFile)
	require.NoError(t, err)
	require.True(t, bytes.Equal(committed, encoded), "Renew it: UPDATE_POD_NAMES=1 go test ./internal/argohost")
}

func buildNames(t *testing.T, rollout string) rolloutNames {
	names := rolloutNames{Rollout: rollout}
	var replicaSets []*appsv1.ReplicaSet
	for version, image := range []string{"shop:v1", "shop:v2"} {
		template := podTemplate(rollout, image)
		podHash := hash.ComputePodTemplateHash(&template, nil)
		// newReplicaSetFromTemplate in rollout/sync.go: "%s-%s" of the rollout's name and the hash.
		replicaSet := fmt.Sprintf("%s-%s", rollout, podHash)
		names.Versions = append(names.Versions, versionNames{podHash, podNames(replicaSet, version)})
		template.Spec.RestartPolicy = corev1.RestartPolicyAlways // a default of the API server: Argo reads it back
		template.Labels[v1alpha1.DefaultRolloutUniqueLabelKey] = podHash
		replicaSets = append(replicaSets, &appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Template: template}})
	}
	// GetExperimentFromTemplate in rollout/experiment.go, with the hash of the new version, its revision and the step.
	names.Experiment = fmt.Sprintf("%s-%s-%s-%d", rollout, names.Versions[1].Hash, "2", 1)
	experiment := &v1alpha1.Experiment{ObjectMeta: metav1.ObjectMeta{Name: names.Experiment}}
	byTemplate := map[string]*appsv1.ReplicaSet{}
	for version, template := range []string{"baseline", "canary"} {
		experiment.Spec.Templates = append(experiment.Spec.Templates, v1alpha1.TemplateSpec{Name: template})
		// newReplicaSetFromTemplate in experiments/replicaset.go removes the label and computes the hash again.
		spec := replicaSets[version].Spec.Template.DeepCopy()
		delete(spec.Labels, v1alpha1.DefaultRolloutUniqueLabelKey)
		podHash := hash.ComputePodTemplateHash(spec, nil)
		byTemplate[template] = &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
			Name:   fmt.Sprintf("%s-%s", experiment.Name, template),
			Labels: map[string]string{v1alpha1.DefaultRolloutUniqueLabelKey: podHash},
		}}
	}
	for number, template := range []string{"baseline", "canary"} {
		resolved := resolve(t, "{{templates."+template+".podTemplateHash}}", experiment, byTemplate)
		replicaSet := resolve(t, fmt.Sprintf(experimentRecipeArg, template), experiment, byTemplate)
		args := []v1alpha1.Argument{{Name: "replicaset", Value: ptr.To(replicaSet)}}
		selector, err := templateutil.ResolveQuotedArgs(experimentRecipe, args)
		require.NoError(t, err)
		names.Templates = append(names.Templates, experimentPods{
			Name: template, ReplicaSet: replicaSet, Hash: resolved, Selector: selector, Pods: podNames(replicaSet, number+2),
		})
	}
	return names
}

func resolve(t *testing.T, value string, experiment *v1alpha1.Experiment, sets map[string]*appsv1.ReplicaSet) string {
	resolved, err := templateutil.ResolveExperimentArgsValue(value, experiment, sets)
	require.NoError(t, err)
	return resolved
}

func podTemplate(app, image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: image}}},
	}
}

// podNames are two pods by GenerateName in k8s.io/apiserver/pkg/storage/names, with fixed random characters.
func podNames(replicaSet string, number int) []string {
	const maxGeneratedNameLength = 63 - 5
	base := replicaSet + "-"
	if len(base) > maxGeneratedNameLength {
		base = base[:maxGeneratedNameLength]
	}
	random := []string{"2xkqz", "m8bnv", "9zr8t", "x7k2q", "h6pnw", "bcdfg", "q5v2d", "zzzzz"}
	return []string{base + random[2*number], base + random[2*number+1]}
}
