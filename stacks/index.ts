import { makeStack } from "../components/environment/make-stack.ts";

/** The program of every stack: the environment whose file has the stack's name. What it exports are the stack's outputs. */
export default await makeStack();
