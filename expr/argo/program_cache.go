package argo

import (
	"container/list"
	"fmt"
	"reflect"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// The cache is bounded by the text it was compiled from: a program takes up to some 140 bytes of memory for each byte
// of its source. A regular expression can take more; the host does not keep a guest that has grown.
const (
	maxCachedText = 64 << 10
	entryOverhead = 128
)

// cacheKey: the checker sees the type of the result, and encoding/json makes only six; nothing deeper is typed.
type cacheKey struct {
	source string
	result reflect.Type
}

type cacheEntry struct {
	key      cacheKey
	compiled *vm.Program
	err      error
}

func (p *cacheEntry) cost() int { return len(p.key.source) + entryOverhead }

// programCache is a least-recently-used cache of compiled conditions, wrong ones included.
type programCache struct {
	byKey map[cacheKey]*list.Element
	order *list.List
	text  int
	// Hits and misses since the start.
	hits, misses uint64
}

func newProgramCache() programCache {
	return programCache{byKey: map[cacheKey]*list.Element{}, order: list.New()}
}

func (c *programCache) get(source string, env map[string]any) (*vm.Program, error) {
	k := cacheKey{source, reflect.TypeOf(env["result"])}
	if element, ok := c.byKey[k]; ok {
		c.hits++
		c.order.MoveToFront(element)
		p := element.Value.(*cacheEntry)
		return p.compiled, p.err
	}
	c.misses++
	compiled, err := compile(source, expr.Env(env))
	p := &cacheEntry{k, compiled, err}
	c.byKey[k] = c.order.PushFront(p)
	c.text += p.cost()
	for c.text > maxCachedText && c.order.Len() > 1 {
		oldest := c.order.Remove(c.order.Back()).(*cacheEntry)
		delete(c.byKey, oldest.key)
		c.text -= oldest.cost()
	}
	return compiled, err
}

// compile makes an error of a panic in the compiler. The controller's goroutine would die there; we have nothing to be
// equal to.
func compile(source string, options ...expr.Option) (p *vm.Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the condition cannot be compiled: %v", r)
		}
	}()
	return expr.Compile(source, options...)
}

// CacheStats tells how often a condition was found compiled, and how often it was not.
func (j *Evaluator) CacheStats() (hits, misses uint64) { return j.programs.hits, j.programs.misses }
