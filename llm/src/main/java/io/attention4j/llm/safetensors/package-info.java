/** safetensors files, single and sharded, and the Hugging Face folders that hold them. */
package io.attention4j.llm.safetensors;
