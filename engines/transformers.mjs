// So that a test outside this folder finds the package that is installed here.
export * from '@huggingface/transformers'
