"""Argo's condition language: expr-lang, compiled to WebAssembly and run in a sandbox."""
