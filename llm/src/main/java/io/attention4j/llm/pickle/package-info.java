/** Tensors of PyTorch's pickle files, read without executing anything of them. */
package io.attention4j.llm.pickle;
