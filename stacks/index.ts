import { makeStack } from "../components/environment/make-stack.ts";

/** The program of every stack: the environment whose file has the stack's name. */
export const { environment, owner, budget, pools, serviceUrls, machines } = await makeStack();
